"""However a call ends, its record is complete, its end is told once, and nothing of it stays in the process."""

import asyncio
import gc
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from scriza.kernel.events import Topic
from scriza.modules.telephony.call.machine import Call
from scriza.modules.telephony.live.player import Player
from scriza.modules.telephony.live.recogniser import Recogniser
from scriza.modules.telephony.live.session import Session
from scriza.modules.telephony.routes import AsgiMediaSocket
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import Answer
from tests.exchange import PUBLIC_URL, Exchange, KnowingAsr, exchange
from tests.phone_line import caller
from tests.waiting import eventually

TIMES_EACH = 3
A_MOMENT = 0.15
"""Between two calls: so few transactions a second every machine can do."""
OF_A_CALL = (Session, Call, Player, Recogniser, AsgiMediaSocket, WebSocketsSansIOProtocol)
"""What a live call is made of."""
IMPATIENT = {"first_words_ms": 1500, "silence_ms": 1200, "digits_ms": 300}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

Place = Callable[[Exchange, str], Awaitable[CallOutcome]]
"""Places a call with a phone of this number."""


def incoming(*lines: str) -> Place:
    async def place(office: Exchange, number: str) -> CallOutcome:
        return await office.twilio.call(caller(*lines, caller=number))

    return place


async def ended_by_rest(office: Exchange, number: str) -> CallOutcome:
    call_id = await office.place(caller("wait", caller=number), Url=f"{PUBLIC_URL}/voice")
    call = office.twilio.calls[call_id]
    async with asyncio.timeout(20):
        while not call.phone.ears.speaking:  # noqa: ASYNC110 # there is no event to wait for
            await asyncio.sleep(0.05)
    await office.ask_carrier(call_id, Status="completed")
    return await office.twilio.outcome(call_id)


async def taken_by_a_machine(office: Exchange, number: str) -> CallOutcome:
    machine = Answer(by="machine_end_beep")
    return await office.twilio.call(
        caller("say: hello there", "beep", caller=number, direction="outbound", answer=machine)
    )


LOSES_THE_LINE = ("pause: 500", "interrupt_after: 150", "drop_socket")
WAYS: dict[str, tuple[Place, str]] = {
    "the caller hangs up": (incoming("interrupt_after: 300", "hang_up"), "caller-hung-up"),
    "the caller says goodbye": (incoming("wait", "say: thank you goodbye", "wait"), "agent-goodbye"),
    "the caller never says a word": (incoming(), "intro-timeout"),
    "the caller falls silent": (incoming("wait", "digits: '1'", "wait"), "silence"),
    "the line is lost for good": (incoming(*LOSES_THE_LINE, "hang_up"), "completed"),
    "the line is lost and found": (
        incoming(*LOSES_THE_LINE, "pause: 500", "interrupt_after: 500", "hang_up"),
        "caller-hung-up",
    ),
    "the line is lost again and again": (incoming(*LOSES_THE_LINE * 6), "completed"),
    "a machine takes our call": (taken_by_a_machine, "voicemail-left"),
    "the carrier is asked to end it": (ended_by_rest, "caller-hung-up"),
}
"""Each way with the reason that the record gives."""


@dataclass
class Residue:
    """What there is in the process."""

    tasks: Counter[str]
    objects: Counter[str]

    @staticmethod
    def now() -> "Residue":
        gc.collect()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        tasks = Counter(getattr(task.get_coro(), "__qualname__", "") for task in others)
        objects = Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, OF_A_CALL))
        return Residue(tasks, objects)


@dataclass
class Day:
    """An exchange after all its calls."""

    office: Exchange
    outcomes: dict[str, list[CallOutcome]]
    before: Residue


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory, mongo_url: str) -> AsyncIterator[Day]:
    folder, database = tmp_path_factory.mktemp("office"), f"test_{uuid.uuid4().hex}"
    async with exchange(folder, mongo_url, database, asr=KnowingAsr("thank you goodbye"), **IMPATIENT) as office:
        await office.twilio.call(caller("say: hello", "hang_up"))
        await eventually(lambda: not office.live)
        before = Residue.now()
        numbers = (f"+1415555{number:04}" for number in itertools.count())
        running: dict[str, list[asyncio.Task[CallOutcome]]] = {way: [] for way in WAYS}
        async with asyncio.TaskGroup() as tasks:
            for way, (place, _) in list(WAYS.items()) * TIMES_EACH:
                running[way].append(tasks.create_task(place(office, next(numbers))))
                await asyncio.sleep(A_MOMENT)
        await eventually(lambda: not office.live, seconds=30)
        yield Day(office, {way: [task.result() for task in of_way] for way, of_way in running.items()}, before)


@pytest.mark.parametrize(("way", "reason"), [(way, reason) for way, (_, reason) in WAYS.items()], ids=WAYS.keys())
async def test_the_record_is_complete_and_the_end_is_told_once(day: Day, way: str, reason: str) -> None:
    for outcome in day.outcomes[way]:
        assert outcome.violations == []
        record = await day.office.record(outcome.call_sid)
        assert (record.ended_reason, record.status) == (reason, "completed")
        told = [event.type for event in await day.office.told(outcome.call_sid)]
        assert told.count(Topic.CALL_STARTED) == 1
        assert told.count(Topic.CALL_COMPLETED) == 1


async def test_a_caller_who_falls_silent_gets_one_text_message_and_nobody_else_any(day: Day) -> None:
    texts = {way: [len(outcome.messages) for outcome in outcomes] for way, outcomes in day.outcomes.items()}
    assert texts.pop("the caller falls silent") == [1] * TIMES_EACH
    assert set().union(*texts.values()) == {0}


async def test_nothing_of_a_call_stays_in_the_process(day: Day) -> None:
    await eventually(lambda: not day.office.live)
    now = Residue.now()
    for _ in range(50):
        if now.tasks <= day.before.tasks and not now.objects:
            break
        await asyncio.sleep(0.1)
        now = Residue.now()
    assert now.tasks - day.before.tasks == Counter()
    assert now.objects == Counter()
