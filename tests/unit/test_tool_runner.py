"""A tool's use is done once, whoever asks for it again and whatever became of whoever asked first."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from scriza.kernel.errors import DeadlineExceeded, Forbidden, ScrizaError, Unavailable, UpstreamFailed
from scriza.modules.agent.tools.runner import ToolRunner
from scriza.modules.agent.tools.runs import Run, run_id
from scriza.ports.tool_caller import ToolAnswer
from tests.memory_runs import MemoryRunBook
from tests.virtual_time import run_virtual

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
WANTED = Run("r1", "acme", "CA1", 3, "book", "{}", START, START, harmless=False)


def clock() -> datetime:
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class Server:
    """Answers after `delay_s`, or raises."""

    def __init__(self, *outcomes: ToolAnswer | ScrizaError, delay_s: float = 1.0) -> None:
        self.outcomes = list(outcomes) or [ToolAnswer(200, '"booked"')]
        self.delay_s = delay_s
        self.asked: list[str] = []

    async def __call__(self, run: Run) -> ToolAnswer:
        self.asked.append(run.key)
        await asyncio.sleep(self.delay_s)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, ScrizaError):
            raise outcome
        return outcome


class Rig:
    def __init__(self, *outcomes: ToolAnswer | ScrizaError) -> None:
        self.book, self.server = MemoryRunBook(), Server(*outcomes)
        self.runner = ToolRunner(self.book, clock)

    async def run(self, wanted: Run = WANTED) -> Run:
        return await self.runner.run(wanted, self.server, timeout_s=4)


def virtually(work: Coroutine[Any, Any, None]) -> None:
    run_virtual(work)


def test_what_was_done_is_told_again_and_not_done_again() -> None:
    async def main() -> None:
        rig = Rig()
        first, second = await rig.run(), await rig.run(msgspec.structs.replace(WANTED, turn=4))
        assert (first.state, first.result, first.ms) == ("done", '"booked"', 1000)
        assert second == first
        assert rig.server.asked == ["r1"]

    virtually(main())


def test_two_who_ask_at_once_share_one_run() -> None:
    async def main() -> None:
        rig = Rig()
        first, second = await asyncio.gather(rig.run(), rig.run())
        assert first == second
        assert rig.server.asked == ["r1"]

    virtually(main())


def test_who_is_interrupted_leaves_the_tool_running_and_the_next_one_gets_its_result() -> None:
    async def main() -> None:
        rig = Rig()
        asking = asyncio.create_task(rig.run())
        await asyncio.sleep(0.5)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert (await rig.run()).state == "done"
        assert rig.server.asked == ["r1"]

    virtually(main())


def test_another_process_waits_for_what_this_one_does() -> None:
    async def main() -> None:
        rig = Rig()
        elsewhere = ToolRunner(rig.book, clock)
        here, there = await asyncio.gather(rig.run(), elsewhere.run(WANTED, rig.server, timeout_s=4))
        assert here == there
        assert rig.server.asked == ["r1"]

    virtually(main())


def test_after_a_kill_nobody_can_tell_whether_it_was_done_and_it_is_not_done_again() -> None:
    async def main() -> None:
        rig = Rig()
        await rig.book.claim(msgspec.structs.replace(WANTED, overdue_at=clock() + timedelta(seconds=2)))
        assert (await rig.run()).state == "unknown"
        assert (await rig.run()).state == "unknown"
        assert rig.server.asked == []

    virtually(main())


def test_after_a_kill_what_does_no_harm_is_asked_for_again_by_the_same_key() -> None:
    async def main() -> None:
        rig = Rig()
        harmless = msgspec.structs.replace(WANTED, harmless=True)
        await rig.book.claim(msgspec.structs.replace(harmless, overdue_at=clock()))
        assert (await rig.run(harmless)).state == "done"
        assert rig.server.asked == ["r1"]

    virtually(main())


@pytest.mark.parametrize(
    ("outcome", "harmless", "state"),
    [
        (ToolAnswer(409, '"taken"'), False, "failed"),
        (UpstreamFailed("not reached"), False, "failed"),
        (Forbidden("not allowed"), False, "failed"),
        (DeadlineExceeded("no answer"), False, "unknown"),
        (DeadlineExceeded("no answer"), True, "failed"),
    ],
)
def test_what_came_of_it_is_told_as_surely_as_it_is_known(
    outcome: ToolAnswer | ScrizaError, harmless: bool, state: str
) -> None:
    async def main() -> None:
        rig = Rig(outcome)
        wanted = msgspec.structs.replace(WANTED, harmless=harmless)
        assert (await rig.run(wanted)).state == state
        assert rig.book.runs["r1"].state == state

    virtually(main())


def test_after_a_sure_failure_it_is_tried_again_as_another_request() -> None:
    async def main() -> None:
        rig = Rig(UpstreamFailed("not reached"), ToolAnswer(200, '"booked"'))
        assert (await rig.run()).state == "failed"
        assert (await rig.run()).state == "done"
        assert rig.server.asked == ["r1", "r1-2"]

    virtually(main())


def test_without_its_book_nothing_is_done() -> None:
    async def main() -> None:
        rig = Rig()
        rig.book.away = True
        with pytest.raises(Unavailable):
            await rig.run()
        assert rig.server.asked == []

    virtually(main())


def test_a_book_that_goes_away_meanwhile_is_tried_until_it_is_back() -> None:
    async def main() -> None:
        rig = Rig()
        asking = asyncio.create_task(rig.run())
        await asyncio.sleep(0.5)
        rig.book.away = True
        await asyncio.sleep(1)
        rig.book.away = False
        assert (await asking).state == "done"
        assert rig.book.runs["r1"].state == "done"

    virtually(main())


def test_more_than_may_run_at_once_are_refused() -> None:
    async def main() -> None:
        rig = Rig()
        many = [asyncio.create_task(rig.run(msgspec.structs.replace(WANTED, run_id=f"r{n}"))) for n in range(60)]
        await asyncio.wait(many)
        refused = [task for task in many if task.exception()]
        assert len(refused) == 10

    virtually(main())


def test_at_the_end_of_the_process_running_tools_have_some_seconds() -> None:
    async def main() -> None:
        rig = Rig()
        rig.server.delay_s = 3600
        asking = asyncio.create_task(rig.run())
        await asyncio.sleep(0.1)
        await rig.runner.close(2)
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert rig.book.runs["r1"].state == "running", "whoever looks later finds it overdue"

    virtually(main())


def test_the_same_wish_in_a_call_is_the_same_run_but_for_what_only_reads() -> None:
    once = run_id("acme", "CA1", "book", "{}", turn=None)
    assert once == run_id("acme", "CA1", "book", "{}", turn=None)
    others = [
        run_id("other", "CA1", "book", "{}", turn=None),
        run_id("acme", "CA2", "book", "{}", turn=None),
        run_id("acme", "CA1", "find", "{}", turn=None),
        run_id("acme", "CA1", "book", '{"day":"Tuesday"}', turn=None),
        run_id("acme", "CA1", "book", "{}", turn=3),
        run_id("acme", "CA1", "book", "{}", turn=4),
    ]
    assert len({once, *others}) == 7
