"""Text for a voice: nothing in it that cannot be said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.agent.speakable import speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("It is nineteen dollars.", "It is nineteen dollars."),
        ("**Sure!** It *is* `nineteen` dollars.", "Sure! It is nineteen dollars."),
        ("## Prices\n- nineteen a month", "Prices nineteen a month"),
        ("1. Write it.", "Write it."),
        ("> quoted", "quoted"),
        ("See [our page](https://example.com/a?b=c#d) now.", "See our page now."),
        ("See https://www.example.com/a/b?c=d.", "See example dot com"),
        ("It is on www.example.co.uk.", "It is on example dot co dot uk."),
        ("Write to sunny.day@example.com!", "Write to sunny dot day at example dot com!"),
        ("Great \N{PARTY POPPER}\N{GRINNING FACE}\N{VARIATION SELECTOR-16} !", "Great!"),
        ("one \u2014 two\u2014three - four", "one, two, three, four"),
        ("well-known, 3.5 percent, snake_case", "well-known, 3.5 percent, snake_case"),
        ("a\u200bb\x00c\u202ed", "abcd"),
        ("  much \t space \n here ", "much space here"),
        (
            "na\u00efve caf\u00e9, \u0928\u092e\u0938\u094d\u0924\u0947",
            "na\u00efve caf\u00e9, \u0928\u092e\u0938\u094d\u0924\u0947",
        ),
        ("\N{THUMBS UP SIGN}", ""),
        ("***", ""),
        ("...", ""),
        ("", ""),
    ],
)
def test_only_what_can_be_said_is_left(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@given(st.text() | st.text(st.sampled_from("ab *_`#[]()<>|~\n-.,:/@\U0001f600wh")))
def test_any_text_becomes_one_line_without_markup_or_pictures(text: str) -> None:
    spoken = speakable(text)
    assert spoken == spoken.strip()
    assert not re.search(r"[*`#\[\]<>|~\n\r\t\U0001f300-\U0001faff]|  ", spoken)
    assert spoken == "" or any(char.isalnum() for char in spoken)
