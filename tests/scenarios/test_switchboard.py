"""All calls of a process: how many are taken, how they are stopped, and what becomes of them when the process stops."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Topic
from scriza.modules.telephony.call_log import JournaledCall, NewCall
from scriza.modules.telephony.live.switchboard import Switchboard
from scriza.modules.telephony.media import Start, StartDetails
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import START, World
from tests.unit.call_rig import LINES
from tests.virtual_time import run_virtual


def start_of(call_id: str) -> Start:
    return Start(f"MZ{call_id}", StartDetails(call_id))


class Desk:
    """A switchboard with calls in memory."""

    def __init__(self, *, most_calls: int = 2) -> None:
        self.world = World()
        self.switchboard = Switchboard(self.world.doors(), self.world.options, most_calls=most_calls)
        self.phones: dict[str, MemoryPhone] = {}

    async def attach(self, call_id: str) -> JournaledCall:
        await self.world.log.open(
            NewCall(call_id, "default", "inbound", "+14155550100", "+14155550199", "in-progress", START)
        )
        return await self.world.log.attach(call_id)

    async def stream(self, tasks: asyncio.TaskGroup, call_id: str) -> asyncio.Task[None]:
        """The call's stream has come."""
        call = await self.attach(call_id)
        phone = self.phones[call_id] = MemoryPhone()
        return tasks.create_task(self.switchboard.answer(phone, start_of(call_id), call))

    async def reason(self, call_id: str) -> str:
        record = await self.world.log.record("default", call_id)
        assert record is not None
        return record.ended_reason


def day(work: Callable[[Desk, asyncio.TaskGroup], Awaitable[None]]) -> Desk:
    async def main() -> Desk:
        desk = Desk()
        async with asyncio.timeout(3600), asyncio.TaskGroup() as tasks:
            await work(desk, tasks)
        return desk

    return run_virtual(main())


def test_a_call_that_was_taken_has_its_place_before_its_stream_comes() -> None:
    async def work(desk: Desk, tasks: asyncio.TaskGroup) -> None:
        accepts = desk.switchboard.accepts
        assert accepts("CA1")
        assert accepts("CA2")
        assert not accepts("CA3")
        assert accepts("CA2"), "a repeated webhook is no other call"
        await desk.stream(tasks, "CA1")
        await asyncio.sleep(1)
        assert not accepts("CA3")
        desk.phones["CA1"].hang_up()
        await asyncio.sleep(1)
        assert accepts("CA3")

    day(work)


def test_a_place_is_given_to_others_when_the_stream_never_comes() -> None:
    async def work(desk: Desk, tasks: asyncio.TaskGroup) -> None:
        assert desk.switchboard.accepts("CA1")
        assert desk.switchboard.accepts("CA2")
        await asyncio.sleep(59)
        assert not desk.switchboard.accepts("CA3")
        await asyncio.sleep(2)
        assert desk.switchboard.accepts("CA3")

    day(work)


def test_a_stream_that_takes_over_goes_on_from_all_that_came_of_the_one_before() -> None:
    async def work(desk: Desk, tasks: asyncio.TaskGroup) -> None:
        desk.world.agent.delay_s = 3
        desk.world.asr.lines = ["what does it cost"]
        await desk.stream(tasks, "CA1")
        dead = desk.phones["CA1"]
        await dead.heard_all()
        await dead.say(1000)
        await asyncio.sleep(1.5)
        assert desk.world.agent.asked
        await desk.stream(tasks, "CA1")
        await desk.phones["CA1"].heard_all()
        desk.phones["CA1"].hang_up()

    desk = day(work)
    record = run_virtual(desk.world.log.record("default", "CA1"))
    assert record is not None
    assert [turn.user for turn in record.turns if turn.user] == ["what does it cost"]
    assert record.turns[-1].agent == "It is ten dollars. Anything else?"


def test_stopping_all_calls_has_each_say_goodbye_and_end() -> None:
    async def work(desk: Desk, tasks: asyncio.TaskGroup) -> None:
        calls = [await desk.stream(tasks, call_id) for call_id in ("CA1", "CA2")]
        await asyncio.sleep(3)
        assert desk.switchboard.stop_all() == 2
        await asyncio.wait(calls)

    desk = day(work)
    assert desk.world.tts.spoken.count(LINES.farewell) >= 2
    assert [run_virtual(desk.reason(call_id)) for call_id in ("CA1", "CA2")] == ["stopped", "stopped"]
    assert desk.switchboard.live == 0
    assert [event.type for event in desk.world.log.told].count(Topic.CALL_COMPLETED) == 2


def test_a_process_that_stops_takes_no_new_call_and_waits_for_those_it_has() -> None:
    async def work(desk: Desk, tasks: asyncio.TaskGroup) -> None:
        await desk.stream(tasks, "CA1")
        await asyncio.sleep(1)
        draining = tasks.create_task(desk.switchboard.drain(20))
        await asyncio.sleep(1)
        assert not desk.switchboard.accepts("CA2")
        assert not draining.done()
        desk.phones["CA1"].hang_up()
        await asyncio.sleep(1)
        assert draining.done()

    assert run_virtual(day(work).reason("CA1")) == "caller-hung-up"


def test_a_call_that_outlasts_the_wait_is_left_to_another_process() -> None:
    async def work(desk: Desk, tasks: asyncio.TaskGroup) -> None:
        await desk.stream(tasks, "CA1")
        await asyncio.sleep(1)
        await desk.switchboard.drain(2)
        assert desk.phones["CA1"].closed
        with pytest.raises(Unavailable):
            await desk.switchboard.answer(MemoryPhone(), start_of("CA1"), await desk.attach("CA1"))
        with pytest.raises(Unavailable):
            await desk.switchboard.takes_calls()
        assert desk.switchboard.live == 0

    assert run_virtual(day(work).reason("CA1")) == ""
