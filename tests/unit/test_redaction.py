"""No phone number in what is logged or answered, however it is written; other numbers stay as they are."""

import pytest

from scriza.kernel.errors import BadInput
from scriza.kernel.redaction import redact


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("to +14155550123", "to +1••••••••23"),
        ("From=%2B14155550123&To=%2b4930123456", "From=%2B1••••••••23&To=%2b4•••••••56"),
        ("%252B14155550123", "%252B1••••••••23"),
        ("tel:14155550123", "tel:1••••••••23"),
        ("tel:+14155550123", "tel:+1••••••••23"),
        ("From=14155550123&To=4930123456", "From=1••••••••23&To=4•••••••56"),
        ("ForwardedFrom=14155550123", "ForwardedFrom=1••••••••23"),
    ],
)
def test_a_phone_number_is_masked_however_it_is_written(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "took 14155550 ms",
        "duration_ms=14155550",
        "time=1700000000000",
        "port=27017",
        "CallSid=CA14155550123415555012341555501234",
        "CA14155550123415555012341555501234",
        "req_14155550123",
        "?size=14155550123",
    ],
)
def test_any_other_number_stays(text: str) -> None:
    assert redact(text) == text


def test_a_problem_tells_no_phone_number() -> None:
    assert BadInput("Invalid enum value '+14155550123'").problem().detail == "Invalid enum value '+1••••••••23'"
