"""What the settings say about placing calls."""

from datetime import datetime

import pytest

from scriza.factories.placing import longest_seconds, rules
from scriza.settings import BadSettings, load

SUNDAY_NIGHT = datetime(2026, 3, 1, 3)
MONDAY_MORNING = datetime(2026, 3, 2, 9)
ACCOUNT = {"twilio_account_sid": "AC1", "twilio_auth_token": "secret"}


def test_people_are_called_in_the_day_and_not_on_sundays() -> None:
    hours = rules(load(**ACCOUNT)).hours
    assert (hours.open_at(MONDAY_MORNING), hours.open_at(SUNDAY_NIGHT)) == (True, False)


def test_the_simulators_callees_do_not_sleep_unless_hours_are_set() -> None:
    assert rules(load()).hours.open_at(SUNDAY_NIGHT)
    assert not rules(load(outbound_hours="Mon 09:00-10:00")).hours.open_at(SUNDAY_NIGHT)


def test_countries_are_named_by_two_capitals() -> None:
    assert rules(load(outbound_countries="US, GB,")).countries == {"US", "GB"}
    assert rules(load()).countries == frozenset()
    for wrong in ("us", "USA", "US GB", "DE,Ü1"):
        with pytest.raises(BadSettings, match="SCRIZA_OUTBOUND_COUNTRIES"):
            load(outbound_countries=wrong)


def test_hours_that_cannot_be_read_are_refused_at_start() -> None:
    with pytest.raises(BadSettings, match="SCRIZA_OUTBOUND_HOURS"):
        load(outbound_hours="whenever")


def test_the_carrier_is_told_how_long_a_call_may_last() -> None:
    settings = load(longest_call_ms=90_500)
    assert longest_seconds(settings) == 91
