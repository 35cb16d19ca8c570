"""Whatever is told of calls, in whatever order and however often, the sums are those of the calls as they are."""

import asyncio
from collections.abc import Coroutine
from datetime import date

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scriza.kernel.errors import Unavailable
from scriza.modules.memory.reports.counter import BATCH, Counter
from scriza.modules.memory.reports.counting import Led, cell_of, figures_of
from scriza.modules.memory.reports.days import Counted, Day, DayKey, added_up
from scriza.modules.memory.reports.figures import TimedFigures, total_of
from scriza.ports.memory import RememberedCall
from tests.memory_reports import MemoryFigures, MemoryLog, always, kite
from tests.report_calls import some_calls, talk

MARCH = date(2026, 3, 1), date(2026, 3, 31)
call_ids = st.sampled_from(["CA1", "CA2", "CA3"])


class World:
    def __init__(self) -> None:
        self.figures = MemoryFigures()
        self.log = MemoryLog(self.figures)
        self.counter = Counter(self.figures, self.log, kite, always)

    def days(self, *, sealed: bool) -> dict[DayKey, Day[TimedFigures]]:
        kept = {key: Day.decode(*told, TimedFigures) for (_, key), told in self.figures.sums.items()}
        return {key: day for key, day in kept.items() if key.sealed == sealed}

    def total(self) -> TimedFigures:
        days = [*self.days(sealed=False).values(), *self.days(sealed=True).values()]
        return total_of((figures for day in days for figures in day.total.values()), TimedFigures)


async def counted(call: RememberedCall) -> Counted:
    assert call.started_at is not None
    led = await kite("default", call.playbook)
    return Counted(cell_of(call, call.started_at, led), figures_of(call, led))


class Rollups(RuleBasedStateMachine):
    """Logs are written again and again, counted now and then, and go."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.forgotten: list[TimedFigures] = []

    def do(self, work: Coroutine[None, None, object]) -> None:
        self.loop.run_until_complete(work)

    @rule(call=some_calls(call_ids))
    def write(self, call: RememberedCall) -> None:
        self.do(self.world.log.write(call))

    @rule()
    def count(self) -> None:
        self.do(self.world.counter.catch_up())

    @rule(call_id=call_ids)
    def say_again_that_it_has_changed(self, call_id: str) -> None:
        self.do(self.world.figures.mark("default", [call_id]))

    @rule(call_id=call_ids)
    def forget(self, call_id: str) -> None:
        if have := self.world.figures.counted.get(("default", call_id)):
            self.forgotten.append(have.figures)
        self.do(self.world.log.forget(call_id))

    @rule(key=st.integers(0, 5), calls=st.integers(1, 9))
    def somebody_breaks_a_sum_and_it_is_rebuilt(self, key: int, calls: int) -> None:
        kept = sorted(self.world.figures.sums, key=str)
        if kept and not (broken := kept[key % len(kept)])[1].sealed:
            day = Day.decode(*self.world.figures.sums[broken], TimedFigures)
            day.add(0, "broken", TimedFigures(calls=calls))
            self.world.figures.sums[broken] = day.encode()
        self.do(self.world.counter.rebuild("default", *MARCH))

    @invariant()
    def sums_are_those_of_the_log_once_all_is_counted(self) -> None:
        if self.world.figures.marks:
            return
        calls = [self.loop.run_until_complete(counted(call)) for call in self.world.log.calls.values()]
        assert self.world.days(sealed=False) == added_up(calls)

    @invariant()
    def of_calls_that_went_the_figures_stay(self) -> None:
        kept = [figures for day in self.world.days(sealed=True).values() for figures in day.total.values()]
        assert total_of(kept, TimedFigures) == total_of(self.forgotten, TimedFigures)

    def teardown(self) -> None:
        self.loop.close()


TestRollups = Rollups.TestCase


async def test_a_call_that_is_sealed_but_still_remembered_is_not_counted_again() -> None:
    world = World()
    await world.log.write(talk("CA1", outcome="booked"))
    await world.counter.catch_up()
    await world.figures.seal("default", ["CA1"], erase=False)
    await world.log.write(talk("CA1", outcome="lost"))
    await world.counter.catch_up()
    assert await world.counter.rebuild("default", *MARCH) == 0
    assert (world.total().calls, world.total().won) == (1, 1)


async def test_a_change_while_a_call_is_counted_is_counted_next() -> None:
    world = World()

    async def slow(workspace: str, version: str) -> Led:
        if version == "kite.1":
            await world.log.write(talk("CA1", playbook="kite.2", outcome="booked"))
        return await kite(workspace, version)

    counter = Counter(world.figures, world.log, slow, always)
    await world.log.write(talk("CA1"))
    await counter.catch_up()
    assert world.total().won == 0
    await counter.catch_up()
    assert (world.total().calls, world.total().won) == (1, 1)
    assert world.figures.marks == {}


async def test_calls_of_a_playbook_that_nobody_knows_now_hold_up_no_others() -> None:
    world, away = World(), True

    async def leads(workspace: str, version: str) -> Led:
        if away and version == "clinic.1":
            raise Unavailable("strategy is away")
        return await kite(workspace, version)

    counter = Counter(world.figures, world.log, leads, always)
    for number in range(BATCH):
        await world.log.write(talk(f"CA{number}", playbook="clinic.1"))
    await world.log.write(talk("CB1"))
    await counter.catch_up()
    await counter.catch_up()
    assert world.total().calls == 1
    away = False
    await counter.catch_up()
    assert world.total().calls == BATCH + 1


async def test_who_is_not_to_count_leaves_it_to_others() -> None:
    world = World()

    async def never() -> bool:
        return False

    for number in range(3):
        await world.log.write(talk(f"CA{number}"))
    await Counter(world.figures, world.log, kite, never).catch_up()
    assert len(world.figures.marks) == 3
    assert await Counter(world.figures, world.log, kite, never).rebuild("default", *MARCH) == 0
    assert world.total().calls == 3


async def test_workspaces_are_counted_apart() -> None:
    world = World()
    await world.log.write(talk("CA1"))
    await world.log.write(talk("CA2"), workspace="acme")
    await world.counter.catch_up()
    assert {workspace for workspace, _ in world.figures.sums} == {"default", "acme"}


@pytest.mark.parametrize("gone", [None, "no start"])
async def test_a_mark_of_a_call_with_nothing_to_count_goes(gone: str | None) -> None:
    world = World()
    await world.figures.mark("default", ["CA1"])
    if gone:
        world.log.calls["default", "CA1"] = msgspec.structs.replace(talk("CA1"), started_at=None)
    await world.counter.catch_up()
    assert not world.figures.marks
    assert not world.figures.sums
