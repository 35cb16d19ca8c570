"""The carrier's signature, against Twilio's published vectors and its own validator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.datastructures import MultiDict
from twilio.request_validator import RequestValidator

from scriza.simulator.signing import sign

FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
DUPLICATES = [("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234"), ("Sid", "CA123"), ("SidAccount", "AC123")]


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        ("https://mycompany.com/myapp.php?foo=1&bar=2", FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", FORM, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", FORM, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", FORM, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        ("https://mycompany.com/myapp.php?foo=1&bar=2", DUPLICATES, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        ("wss://h.example/stream", [], "41Fd2KXSiy0nuCd5v264BIw5qls="),
        ("wss://h.example/stream/", [], "A1jEv+EcLs0M9V6DFdQz90r/mHs="),
    ],
)
def test_published_vectors(url: str, form: list[tuple[str, str]], signature: str) -> None:
    assert sign("12345", url, form) == signature


@given(
    st.lists(st.tuples(st.text(min_size=1), st.text())),
    st.sampled_from(["https://a.example/voice", "http://127.0.0.1:8000/voice?x=%20y", "https://a.example:8443/"]),
)
def test_twilios_own_validator_agrees_on_blanks_duplicates_and_unicode(form: list[tuple[str, str]], url: str) -> None:
    signature = sign("secret", url, form)
    assert RequestValidator("secret").validate(url, MultiDict(form), signature)
    assert not RequestValidator("other").validate(url, MultiDict(form), signature)
