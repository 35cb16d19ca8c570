"""Hours of the week as people write them."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput
from scriza.modules.telephony.placing.hours import weekly_hours

MONDAY = datetime(2026, 3, 2)


@pytest.mark.parametrize(
    ("hours", "day", "time", "is_open"),
    [
        ("Mon-Sat 09:00-20:00", 0, "09:00", True),
        ("Mon-Sat 09:00-20:00", 0, "08:59", False),
        ("Mon-Sat 09:00-20:00", 5, "19:59", True),
        ("Mon-Sat 09:00-20:00", 5, "20:00", False),
        ("Mon-Sat 09:00-20:00", 6, "12:00", False),
        ("Sat-Mon 10:00-12:00", 6, "11:00", True),
        ("Sat-Mon 10:00-12:00", 1, "11:00", False),
        ("fri 22:00-24:00,  SAT 00:00-02:00", 4, "23:59", True),
        ("fri 22:00-24:00,  SAT 00:00-02:00", 5, "01:59", True),
        ("fri 22:00-24:00,  SAT 00:00-02:00", 5, "02:00", False),
    ],
)
def test_it_is_open_from_the_first_minute_up_to_the_last(hours: str, day: int, time: str, is_open: bool) -> None:
    hour, minute = time.split(":")
    assert weekly_hours(hours).open_at(MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))) is is_open


@pytest.mark.parametrize(
    "text",
    [
        *("", "always", "Mon", "Mon 9:00-18:00", "Mon 09:00-09:00", "Mon 18:00-09:00", "Mon 09:00-24:01"),
        *("Mon 09:60-10:00", "Moo 09:00-10:00", "Mon-Foo 09:00-10:00", "Mon 09:00-10:00,", "Mon 09:00-10:00 Tue"),
    ],
)
def test_what_cannot_be_read_as_hours_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        weekly_hours(text)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 7 * 24 * 60 - 1))
def test_a_range_of_days_is_open_on_as_many_days_as_it_names(first: int, last: int, minute: int) -> None:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    hours = weekly_hours(f"{days[first]}-{days[last]} 00:00-24:00")
    at = MONDAY + timedelta(minutes=minute)
    assert hours.open_at(at) is ((at.weekday() - first) % 7 <= (last - first) % 7)
