"""However a transfer goes, the call's record tells it, its end is told once, and a caller whom nobody took is kept."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from scriza.kernel.events import Topic
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import Scenario, Transfer
from tests.exchange import Exchange, KnowingAsr, exchange
from tests.phone_line import caller
from tests.playbooks import PAPER_KITE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

ASKS = ("wait", "say: can i talk to a person", "wait")
GOES_ON = (*ASKS, "interrupt_after: {ms: 300, limit_ms: 60000}", "wait", "say: thank you goodbye", "wait")
CALLERS: dict[str, tuple[Scenario, str]] = {
    "a person takes the call": (caller(*ASKS, "pause: 30000", transfer=Transfer(talk_ms=1500)), "transferred"),
    "a machine answers and presses no key": (caller(*GOES_ON, transfer=Transfer(presses="")), "agent-goodbye"),
    "the line is busy": (caller(*GOES_ON, transfer=Transfer("busy", after_ms=800)), "agent-goodbye"),
    "the caller gives up while it rings": (
        caller(*ASKS, "pause: 1500", "hang_up", transfer=Transfer("no-answer", after_ms=20_000)),
        "caller-hung-up",
    ),
    "the caller hangs up on the person": (
        caller(*ASKS, "pause: 10000", "hang_up", transfer=Transfer(talk_ms=60_000)),
        "transferred",
    ),
}
"""Each with the reason that the record gives."""


@dataclass
class Day:
    """An exchange, and the calls that it had."""

    office: Exchange
    outcomes: dict[str, CallOutcome]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory, mongo_url: str) -> AsyncIterator[Day]:
    folder, database = tmp_path_factory.mktemp("office"), f"test_{uuid.uuid4().hex}"
    asr = KnowingAsr("can i talk to a person", "thank you goodbye")
    async with exchange(folder, mongo_url, database, asr=asr, transfer_to="+14155550188") as office:
        async with asyncio.TaskGroup() as tasks:
            running = {name: tasks.create_task(office.twilio.call(who)) for name, (who, _) in CALLERS.items()}
        yield Day(office, {name: task.result() for name, task in running.items()})


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name, (_, reason) in CALLERS.items()], ids=CALLERS)
async def test_the_record_tells_how_it_went_and_the_end_is_told_once(day: Day, name: str, reason: str) -> None:
    outcome = day.outcomes[name]
    assert outcome.violations == []
    record = await day.office.record(outcome.call_sid)
    assert (record.ended_reason, record.status) == (reason, "completed")
    assert (record.metrics.transfers, record.metrics.reattached) == (1, 0)
    told = [event.type for event in await day.office.told(outcome.call_sid)]
    assert told.count(Topic.CALL_COMPLETED) == 1


async def test_who_was_not_taken_over_is_told_so_and_nobody_else_is(day: Day) -> None:
    unreached = PAPER_KITE.transfer.unreached
    for name, (_, reason) in CALLERS.items():
        record = await day.office.record(day.outcomes[name].call_sid)
        assert [turn.agent for turn in record.turns].count(unreached) == (reason == "agent-goodbye")


async def test_nobody_is_led_here_any_more(day: Day) -> None:
    assert day.office.live == 0
