"""Days of every zone, in quarters of an hour of UTC."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.calendar import Span, days, slot_of, spans, zone
from scriza.kernel.errors import BadInput
from scriza.modules.memory.reports.sums import period, slices

NOW = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati", "America/Sao_Paulo", "Africa/Cairo"),
]


def hours(day: date, name: str) -> float:
    return sum(span.end - span.first for span in spans(day, zone(name))) / 4


def test_a_day_is_whole_where_clocks_show_utc() -> None:
    assert spans(date(2026, 3, 1), zone("UTC")) == [Span(date(2026, 3, 1), 0, 96)]


def test_a_day_elsewhere_is_the_end_of_one_and_the_beginning_of_the_next() -> None:
    assert spans(date(2026, 3, 1), zone("Asia/Kolkata")) == [
        Span(date(2026, 2, 28), 74, 96),
        Span(date(2026, 3, 1), 0, 74),
    ]


@pytest.mark.parametrize(
    ("day", "name", "long"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 3, 8), "America/New_York", 23),
        (date(2026, 11, 1), "America/New_York", 25),
        (date(2026, 4, 5), "Australia/Lord_Howe", 24.5),
        (date(2018, 11, 4), "America/Sao_Paulo", 23),  # midnight itself was left out
        (date(2011, 12, 30), "Pacific/Apia", 0),  # the day was
    ],
)
def test_days_on_which_clocks_are_changed_are_as_long_as_they_are(day: date, name: str, long: float) -> None:
    assert hours(day, name) == long


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(ZONES))
def test_every_moment_is_in_the_spans_of_its_own_day_and_of_no_other(moment: datetime, name: str) -> None:
    moment = moment.replace(tzinfo=UTC)
    here = moment.astimezone(ZoneInfo(name)).date()
    holding = [
        day
        for day in days(here - timedelta(days=2), here + timedelta(days=2))
        for span in spans(day, zone(name))
        if span.day == moment.date() and span.first <= slot_of(moment) < span.end
    ]
    assert holding == [here]


@given(st.dates(date(2020, 1, 1), date(2029, 1, 1)), st.integers(0, 60), st.sampled_from(ZONES))
def test_a_period_is_its_days(since: date, length: int, name: str) -> None:
    covered = period(since, since + timedelta(days=length), name, NOW)
    whole, by_day = slices(covered, "agent"), slices(covered, "day")

    def quarters(wanted: object) -> int:
        assert isinstance(wanted, dict)
        return sum(span.end - span.first for parts in wanted.values() for _, span in parts)

    assert whole.keys() == by_day.keys()
    assert quarters(whole) == quarters(by_day)


def test_without_days_a_query_means_the_last_thirty() -> None:
    told = period(None, None, "Asia/Kolkata", NOW)
    assert (told.since, told.until) == (date(2026, 2, 1), date(2026, 3, 2))  # there it is the next day
    told = period(None, date(2025, 1, 30), "UTC", NOW)
    assert (told.since, told.until) == (date(2025, 1, 1), date(2025, 1, 30))


@pytest.mark.parametrize("name", ["", "Nowhere", "../../etc/passwd", "/etc/passwd", "Europe", "a\x00b"])
def test_a_zone_that_is_none_is_bad_input(name: str) -> None:
    with pytest.raises(BadInput, match="tz"):
        period(None, None, name, NOW)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2020, 1, 1), date(2026, 3, 1)),
        (date.max, date.max),
        (date.min, date.min),
    ],
)
def test_days_that_are_no_period_are_bad_input(since: date, until: date) -> None:
    with pytest.raises(BadInput):
        period(since, until, "Asia/Kolkata", NOW)
