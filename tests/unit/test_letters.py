"""Letters of accounts as messages: whoever reads the raw file finds the token whole."""

import pytest

from scriza.kernel.errors import BadInput
from scriza.modules.accounts import letters
from scriza.modules.accounts.handles import new_handle
from scriza.ports.mail import Letter
from scriza_adapters.mail_message import message

URL = "https://scriza.example"


@pytest.mark.parametrize("kind", ["invitation", "reset"])
def test_a_token_stands_whole_in_the_raw_letter(kind: str) -> None:
    token = str(new_handle(kind))
    to = "ada@team.example"
    letter = letters.reset(to, token, URL) if kind == "reset" else letters.invitation(to, "admin", token, URL)
    raw = message(letter, "Scriza <calls@team.example>").decode("ascii")
    assert f"\n    {token}\n" in raw
    assert "quoted-printable" not in raw


@pytest.mark.parametrize("subject", ["Hello\nBcc: eve@evil.example", "Hello\r\nBcc: eve@evil.example"])
def test_no_header_is_smuggled_in(subject: str) -> None:
    with pytest.raises(BadInput):
        message(Letter("ada@team.example", subject, "text"), "calls@team.example")
