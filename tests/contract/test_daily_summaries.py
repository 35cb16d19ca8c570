"""Days that are over are told once each, in the workspace's own zone, whoever looks and whenever."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.calendar import beginning
from scriza.kernel.events import Topic
from scriza.kernel.principal import acting
from scriza.modules.usage.daily import Daily, days_over
from scriza.modules.usage.told_days import MongoToldDays
from scriza.ports.credit import CreditRules, DayTold, GrantWish
from scriza_adapters.mongo.outbox import OUTBOX, telling
from scriza_adapters.mongo.store import StoreOptions
from tests.usage_rig import ME, UsageRig, asr, completed, llm, tts, usage_rig

DAYS = frozenset({Topic.USAGE_SUMMARY})


class Rig:
    """Usage, and what a consumer hears of days."""

    def __init__(self, usage: UsageRig) -> None:
        self.usage = usage
        usage.store.bus.expect("somebody", DAYS)

    def daily(self) -> Daily:
        """As another process has it."""
        usage = self.usage
        return Daily(usage.book, MongoToldDays(usage.store, usage.clock), usage.service, usage.clock)

    def at(self, moment: str) -> None:
        self.usage.clock.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    async def call(self, call_id: str, moment: str) -> None:
        at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        told = [llm(call_id, "1", at=at), tts(call_id, "1", at=at), asr(call_id, "1", at=at), completed(call_id, at=at)]
        await self.usage.ingest.take_all(told)

    async def told(self) -> list[DayTold]:
        rows = await self.usage.store.database[OUTBOX].find().sort("order", 1).to_list()
        events = [event for row in rows for event in telling(row).events if event.type in DAYS]
        return [msgspec.json.decode(event.data, type=DayTold) for event in events]


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[Rig]:
    async with usage_rig(store_options) as usage:
        with acting(ME):
            rig = Rig(usage)
            rig.at("2026-11-28T12:00")
            await usage.service.grant(GrantWish(1_000_000))
            await rig.daily().tell_due()
            yield rig


async def test_a_day_is_told_when_it_is_over_with_what_was_used_on_it(rig: Rig) -> None:
    await rig.call("CA1", "2026-11-28T23:59")
    await rig.call("CA2", "2026-11-29T00:00")
    rig.at("2026-11-29T00:09")
    assert await rig.daily().tell_due() == 0
    rig.at("2026-11-29T00:10")
    assert await rig.daily().tell_due() == 1
    (day,) = await rig.told()
    assert (day.day, day.tz, day.totals.calls) == ("2026-11-28", "UTC", 1)
    assert (day.since, day.until) == (datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))
    assert day.totals.cost_micro_usd == sum(group.totals.cost_micro_usd for group in day.top_agents)
    assert day.balance == (await rig.usage.service.credit()).balance


async def test_many_processes_tell_a_day_once(rig: Rig) -> None:
    await rig.call("CA1", "2026-11-28T13:00")
    rig.at("2026-11-29T09:00")
    assert sum(await asyncio.gather(*(rig.daily().tell_due() for _ in range(5)))) == 1
    assert await rig.daily().tell_due() == 0
    assert len(await rig.told()) == 1


async def test_a_day_on_which_nothing_was_used_is_passed_over_in_silence(rig: Rig) -> None:
    await rig.call("CA1", "2026-11-30T13:00")
    rig.at("2026-12-01T09:00")
    assert await rig.daily().tell_due() == 3
    assert [day.day for day in await rig.told()] == ["2026-11-30"]


async def test_what_comes_late_is_counted_on_its_day_and_not_told_again(rig: Rig) -> None:
    await rig.call("CA1", "2026-11-28T13:00")
    rig.at("2026-11-29T09:00")
    await rig.daily().tell_due()
    await rig.call("CA2", "2026-11-28T14:00")
    rig.at("2026-11-30T09:00")
    await rig.daily().tell_due()
    assert [(day.day, day.totals.calls) for day in await rig.told()] == [("2026-11-28", 1)]


@pytest.mark.parametrize(
    ("tz", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Asia/Kathmandu", "2026-11-29", 24),
    ],
)
async def test_days_are_the_zone_s_with_23_or_25_hours_too(rig: Rig, tz: str, day: str, hours: int) -> None:
    await rig.usage.service.set_rules(CreditRules(time_zone=tz))
    until = beginning(date.fromisoformat(day), ZoneInfo(tz))
    await MongoToldDays(rig.usage.store).tell("default", datetime(2026, 11, 28, tzinfo=UTC), until, None)
    for hour in range(-30, 60):
        at = datetime.fromisoformat(day) + timedelta(hours=hour, minutes=20)
        await rig.call(f"CA{hour}", at.isoformat())
    rig.at((date.fromisoformat(day) + timedelta(days=2)).isoformat() + "T00:00")
    await rig.daily().tell_due()
    told = next(each for each in await rig.told() if each.day == day)
    assert told.totals.calls == hours
    assert told.until - told.since == timedelta(hours=hours)


async def test_when_the_zone_changes_no_call_is_told_twice_or_never(rig: Rig) -> None:
    for hour in range(24 * 5):
        await rig.call(f"CA{hour}", (datetime(2026, 11, 28, 0, 30) + timedelta(hours=hour)).isoformat())
    for moment, tz in (("2026-11-29T12:00", "Pacific/Honolulu"), ("2026-12-01T12:00", "Asia/Kathmandu")):
        rig.at(moment)
        await rig.daily().tell_due()
        await rig.usage.service.set_rules(CreditRules(time_zone=tz))
    rig.at("2026-12-03T00:00")
    await rig.daily().tell_due()
    days = await rig.told()
    assert sum(day.totals.calls for day in days) == (days[-1].until - days[0].since) // timedelta(hours=1)
    assert [day.since for day in days[1:]] == [day.until for day in days[:-1]]


ZONES = ["UTC", "America/New_York", "Pacific/Honolulu", "Asia/Kathmandu", "Australia/Lord_Howe"]


@given(
    last=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
    hours=st.integers(0, 400),
    tz=st.sampled_from(ZONES),
)
def test_days_follow_each_other_without_a_gap_and_of_many_the_last_are_told(
    last: datetime, hours: int, tz: str
) -> None:
    settled, here = last + timedelta(hours=hours), ZoneInfo(tz)
    days = list(days_over(last, settled, here))
    assert len(days) <= 8
    assert all(before[1] == after[0] for before, after in pairwise(days))
    assert all(until.astimezone(here).time() == time.min for _, until in days)
    assert not days or (last <= days[0][0] and days[-1][1] <= settled < days[-1][1] + timedelta(hours=26))
    assert days or settled - last < timedelta(hours=26)
