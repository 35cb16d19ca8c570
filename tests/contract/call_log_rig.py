"""A journal of calls with what it has told: the one in the store, or the one in memory that virtual time uses."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import msgspec
import pytest

from scriza.kernel.events import Event, Topic, event
from scriza.modules.telephony.call_log import (
    CallLog,
    CallReader,
    Ending,
    Entry,
    JournaledCall,
    NewCall,
    Once,
    StatusReport,
)
from scriza.ports.agent import Conversation
from scriza.ports.telephony import (
    CallCompleted,
    CallMetrics,
    CallRecord,
    CallStatus,
    CallUpdated,
    ReplyGenerated,
    TurnLatency,
)
from tests.memory_log import MemoryCallLog, MemoryOnce

CALL = "CA00000000000000000000000000000001"
WHO = "who_ada"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SIDES = ["memory", "store"]
METRICS = CallMetrics(turns=2, barge_ins=1, latencies=[TurnLatency(1, 300, 40, 200, 90, 10, 640)])


class Log(CallLog, CallReader, Protocol):
    """Both sides of a journal."""


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Rig:
    """A log, and what it has told."""

    def __init__(self, log: Log, once: Once, told: Callable[[], Awaitable[list[Event]]], clock: Clock) -> None:
        self.log, self.once, self.clock = log, once, clock
        self._told = told

    async def topics(self) -> list[str]:
        return [event.type.value for event in await self._told()]

    async def record(self, call_id: str = CALL) -> CallRecord:
        record = await self.log.record("default", call_id)
        assert record is not None
        return record


def rig_of(request: pytest.FixtureRequest) -> Rig:
    """On either side, by the parameter of the fixture that asks."""
    clock = Clock()
    if request.param == "memory":
        memory = MemoryCallLog(clock)

        async def kept() -> list[Event]:
            return memory.told

        return Rig(memory, MemoryOnce(clock), kept, clock)

    from scriza.modules.telephony.stored_log import MongoCallLog
    from scriza.modules.telephony.stored_once import MongoOnce

    store = request.getfixturevalue("store")

    async def outbox() -> list[Event]:
        rows = await store.database["outbox"].find({}).sort("order", 1).to_list()
        return [msgspec.json.decode(told, type=Event) for row in rows for told in row["events"]]

    return Rig(MongoCallLog(store, clock), MongoOnce(store, clock), outbox, clock)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def new(call_id: str = CALL, workspace: str = "default", started_at: datetime = START) -> NewCall:
    return NewCall(call_id, workspace, "inbound", "+14155550123", "+14155550199", "ringing", started_at, who=WHO)


def line(
    turn: int,
    kind: Literal["user", "reply", "heard"],
    text: str,
    *,
    stage: str = "opening",
    seconds: float = 0,
    confidence: float = 1.0,
    tokens: int = 0,
    conversation: Conversation | None = None,
    call_id: str = CALL,
    told: ReplyGenerated | None = None,
) -> Entry:
    return Entry(call_id, turn, kind, text, stage, at(seconds), confidence, tokens, conversation, told)


def status(word: CallStatus, sequence: int, duration: int | None = None) -> StatusReport:
    return StatusReport(CALL, word, sequence, at(sequence), duration)


def ending(reason: str = "caller-hung-up", duration: int = 42, **more: object) -> Ending:
    known = {"call_id": CALL, "reason": reason, "at": at(50), "duration_seconds": duration, "metrics": METRICS}
    return msgspec.convert(known | more, Ending)


def updated(word: CallStatus = "in-progress", key: str = "1") -> Event:
    data = CallUpdated(CALL, word, "opening")
    return event(Topic.CALL_UPDATED, data, source="telephony", subject=CALL, key=key, time=START, workspace="default")


def completed(reason: str = "caller-hung-up") -> Event:
    data = CallCompleted(CALL, "completed", reason, "", 42, 2)
    return event(
        Topic.CALL_COMPLETED, data, source="telephony", subject=CALL, key="completed", time=START, workspace="default"
    )


async def found(rig: Rig) -> JournaledCall:
    call = await rig.log.find(CALL)
    assert call is not None
    return call
