"""Who may be called, from where, and when."""

from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, ScrizaError
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.dialling_plan import Destination, destination, read_plans
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.policy import (
    Rules,
    caps_refused,
    cost,
    destination_refused,
    moment_refused,
    refusal,
    until_midnight,
)
from scriza.ports.call_desk import RefusalReason

RULES = Rules(weekly_hours("Mon-Sat 09:00-20:00"), most_calls=3, daily_micro_usd=1_000_000)
US = destination("+14155550100")
ZONES = ("America/Los_Angeles", "America/New_York", "Europe/London", "Asia/Calcutta", "Pacific/Auckland")
MONDAY_NOON_IN_LONDON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(zone: str, hour: int, minute: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def moment(to: Destination, now: datetime, **known: bool) -> RefusalReason | None:
    return moment_refused(RULES, to, now, stopped=known.get("stopped", False), barred=known.get("barred", False))


@pytest.mark.parametrize(
    ("number", "country", "zones"),
    [
        ("+14155550123", "US", {"America/Los_Angeles"}),
        ("+4930123456", "DE", {"Europe/Berlin"}),
        ("+919876543210", "IN", {"Asia/Calcutta"}),
    ],
)
def test_a_number_tells_where_its_owner_is(number: str, country: str, zones: set[str]) -> None:
    known = destination(number)
    assert (known.number, known.country, set(known.zones), known.kind) == (number, country, zones, "ordinary")


@pytest.mark.parametrize(
    "number",
    ["", "4155550123", "+1415555", "tel:+14155550123", "+1 415 555 0123", "+999123456789", "+14155550123;ext=1"],
)
def test_what_is_not_the_e164_of_a_number_that_exists_is_refused(number: str) -> None:
    with pytest.raises(BadInput) as refused:
        destination(number)
    assert refused.value.reason == "not-e164"


def test_plans_can_be_read_before_anybody_asks() -> None:
    destination.cache_clear()
    read_plans({"DE", "XX"}, "+919876543210")
    read = destination.cache_info().misses
    assert destination("+919876543210").country == "IN"
    assert (read, destination.cache_info().misses) == (3, 3)


def test_only_the_senders_own_country_is_called_unless_others_are_named() -> None:
    jamaica = destination("+18765550123")  # shares its country code with the sender
    assert destination_refused(RULES, US, destination("+12125550123")) is None
    assert destination_refused(RULES, US, jamaica) == "country-not-allowed"
    assert destination_refused(Rules(RULES.hours, frozenset({"JM"})), US, jamaica) is None


def test_a_number_that_costs_more_than_an_ordinary_call_is_not_called() -> None:
    assert destination_refused(RULES, US, destination("+19005551234")) == "premium-number"


def test_it_is_the_callees_clock_that_counts() -> None:
    assert moment(US, at("America/Los_Angeles", 9)) is None
    assert moment(US, at("America/Los_Angeles", 8, 59)) == "outside-calling-hours"
    assert moment(US, at("America/Los_Angeles", 20)) == "outside-calling-hours"
    assert moment(US, at("America/Los_Angeles", 12, day=1)) == "outside-calling-hours"  # a Sunday


def test_a_callee_who_may_be_in_several_zones_is_called_when_all_of_them_allow_it() -> None:
    anywhere = Destination("+18005550123", "US", ("America/New_York", "America/Los_Angeles"))
    assert moment(anywhere, at("America/New_York", 10)) == "outside-calling-hours"
    assert moment(anywhere, at("America/New_York", 12)) is None
    assert moment(anywhere, at("America/Los_Angeles", 18)) == "outside-calling-hours"


def test_where_the_time_is_not_known_nobody_is_called() -> None:
    assert moment(Destination("+88213123456", "001", ()), MONDAY_NOON_IN_LONDON) == "unknown-time-zone"


def test_the_switch_and_the_list_go_before_the_clock() -> None:
    noon = at("America/Los_Angeles", 12)
    assert moment(US, noon, barred=True) == "do-not-call"
    assert moment(US, noon, barred=True, stopped=True) == "calls-stopped"
    assert moment(US, noon - timedelta(hours=9), barred=True) == "do-not-call"


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC)),
    st.lists(st.sampled_from(ZONES), min_size=1, unique=True),
)
def test_nobody_is_ever_called_at_night_or_on_a_sunday_whatever_the_zones(now: datetime, zones: list[str]) -> None:
    refused = moment(Destination("+18005550123", "US", tuple(zones)), now)
    local = [now.astimezone(ZoneInfo(zone)) for zone in zones]
    allowed = all(9 <= there.hour < 20 and there.weekday() != 6 for there in local)
    assert (refused is None) is allowed


@given(st.integers(0, 5), st.booleans(), st.integers(0, 2_000_000), st.integers(0, 600_000))
def test_no_cap_is_ever_passed(open_calls: int, calling: bool, spent: int, asked: int) -> None:
    if caps_refused(RULES, Standing(open_calls, calling, spent), asked) is None:
        assert not calling
        assert open_calls + 1 <= RULES.most_calls
        assert spent + asked <= RULES.daily_micro_usd


def test_each_cap_has_its_own_reason() -> None:
    assert caps_refused(RULES, Standing(0, True, 0), 1) == "already-calling"
    assert caps_refused(RULES, Standing(3, False, 0), 1) == "too-many-calls"
    assert caps_refused(RULES, Standing(0, False, 999_999), 2) == "spending-limit"
    assert caps_refused(RULES, Standing(2, False, 999_999), 1) is None


def test_each_minute_that_has_begun_is_paid() -> None:
    rules = Rules(RULES.hours, micro_usd_per_minute=14_000)
    assert [cost(rules, seconds) for seconds in (0, 1, 60, 61, 1860)] == [0, 14_000, 14_000, 28_000, 31 * 14_000]


def test_the_days_limit_begins_anew_at_midnight() -> None:
    assert until_midnight(datetime(2026, 3, 2, 23, 59, 30, tzinfo=UTC)) == 30
    assert until_midnight(datetime(2026, 3, 2, tzinfo=UTC)) == 86_400


@pytest.mark.parametrize("reason", get_args(RefusalReason))
def test_every_refusal_says_why_to_people_and_to_programs(reason: RefusalReason) -> None:
    refused = refusal(reason, retry_after=7)
    problem = refused.problem()
    assert problem.reason == reason
    assert problem.detail
    assert 400 <= problem.status < 504
    told = ScrizaError.from_problem(problem)
    assert (type(told), told.reason, told.retry_after) == (type(refused), reason, 7)
