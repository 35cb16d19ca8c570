"""Telephony's journal in memory, for tests on virtual time; held to the same contract as the one in the store."""

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import NotFound
from scriza.kernel.events import Event, Topic
from scriza.modules.telephony.call_log import (
    LONGEST_TRANSFER,
    Ending,
    Entry,
    HandOver,
    IdleCall,
    JournaledCall,
    NewCall,
    Place,
    ReceivedMessage,
    StatusReport,
    TransferState,
)
from scriza.modules.telephony.folding import fold, is_terminal, progress, rank
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import TERMINAL, CallMetrics, CallRecord, MessageRecord, TurnRecord

BY_SESSION = "session"
"""Who closed a call, when it was its own session."""


class _Kept(msgspec.Struct):
    new: NewCall
    record: CallRecord
    changed_at: datetime
    rank: int = -1
    closed_by: str = ""
    carrier_duration: bool = False
    transfer: TransferState = ""
    handed_over: HandOver | None = None
    answered_by: Answerer | Literal[""] = ""
    attached: int = 0
    lines: dict[tuple[int, str], Entry] = {}

    def touch(self, at: datetime) -> None:
        self.changed_at = max(self.changed_at, at)


class MemoryCallLog:
    """Implements CallLog and CallReader. `told` holds every event, in order; `event_logs` the replay logs by part."""

    def __init__(self, clock: WallClock = utc_now) -> None:
        self._clock = clock
        self._calls: dict[str, _Kept] = {}
        self.told: list[Event] = []
        self.event_logs: dict[str, dict[int, bytes]] = {}
        self._messages: dict[str, ReceivedMessage] = {}

    async def open(self, call: NewCall, *events: Event) -> bool:
        if call.call_id in self._calls:
            return False
        record = CallRecord(
            call_id=call.call_id,
            conversation_id=call.call_id,
            status=call.status,
            direction=call.direction,
            stage="",
            last_transcript="",
            last_reply="",
            confidence=0.0,
            tokens_used=0,
            started_at=call.started_at,
            duration_seconds=None,
            ended_reason="",
            outcome="",
            turns=[],
            metrics=CallMetrics(),
        )
        self._calls[call.call_id] = _Kept(call, record, call.started_at)
        self.told.extend(events)
        return True

    async def report(self, report: StatusReport, *events: Event) -> bool:
        kept = self._calls.get(report.call_id)
        if kept is None or rank(report) <= kept.rank:
            return False
        kept.rank = rank(report)
        kept.record.status = report.status
        kept.touch(report.at)
        if report.duration_seconds is not None:
            kept.record.duration_seconds, kept.carrier_duration = report.duration_seconds, True
        closes = is_terminal(kept.rank) and not kept.closed_by
        if closes:
            kept.closed_by = "carrier"
        if report.status in TERMINAL and kept.closed_by == "carrier":
            kept.record.ended_reason = report.reason or report.status
        self.told.extend(event for event in events if closes or event.type != Topic.CALL_COMPLETED)
        return True

    async def attach(self, call_id: str) -> JournaledCall:
        kept = self._known(call_id)
        kept.attached += 1
        kept.touch(self._clock())
        return _journaled(kept)

    async def append(
        self, entries: Sequence[Entry], events: Sequence[Event], metrics: CallMetrics | None = None
    ) -> None:
        for entry in entries:
            kept = self._known(entry.call_id)
            if (entry.turn, entry.kind) in kept.lines:
                continue
            kept.lines[entry.turn, entry.kind] = copy.deepcopy(entry)
            kept.touch(entry.at)
            record = kept.record
            record.stage = entry.stage
            record.tokens_used += entry.tokens
            if entry.kind == "user":
                record.last_transcript, record.confidence = entry.text, entry.confidence
            else:
                record.last_reply = entry.text
            if metrics is not None:
                record.metrics = copy.deepcopy(metrics)
        self.told.extend(events)

    async def end(self, ending: Ending, *events: Event) -> bool:
        kept = self._calls.get(ending.call_id)
        if kept is None or kept.closed_by == BY_SESSION or ending.stream not in (0, kept.attached):
            return False
        first = not kept.closed_by
        if ending.idle_since is not None and (not first or kept.changed_at > ending.idle_since):
            return False
        record = kept.record
        record.ended_reason, record.outcome, record.metrics = ending.reason, ending.outcome, ending.metrics
        if not kept.carrier_duration:
            record.duration_seconds = ending.duration_seconds
        kept.closed_by = BY_SESSION if ending.idle_since is None else "recovery"
        if first:
            self.told.extend(events)
        return first

    async def hand_over(self, hand_over: HandOver) -> None:
        kept = self._calls.get(hand_over.call_id)
        if kept is None or kept.closed_by or kept.attached != hand_over.stream:
            return
        if kept.handed_over and kept.handed_over.stream == hand_over.stream:
            return
        kept.transfer, kept.handed_over = "wanted", hand_over
        kept.record.outcome, kept.record.metrics = hand_over.outcome, copy.deepcopy(hand_over.metrics)
        kept.touch(hand_over.at)

    async def transferred(self, call_id: str, state: Literal["reached", "unreached"], at: datetime) -> bool:
        kept = self._calls.get(call_id)
        if kept is None or kept.transfer not in ("wanted", "reached"):
            return False
        kept.transfer = state
        kept.touch(at)
        return True

    async def answered(self, call_id: str, by: Answerer, at: datetime) -> bool:
        kept = self._calls.get(call_id)
        if kept is None or kept.answered_by:
            return False
        kept.answered_by = by
        kept.touch(at)
        return True

    async def keep_message(self, message: ReceivedMessage, *events: Event) -> bool:
        if message.message_id in self._messages:
            return False
        self._messages[message.message_id] = message
        self.told.extend(events)
        return True

    async def last_call_with(self, workspace: str, number: str) -> str:
        calls = [kept.new for kept in self._calls.values() if kept.new.workspace == workspace]
        theirs = [call for call in calls if number in (call.caller, call.callee)]
        return max(theirs, key=lambda call: call.started_at).call_id if theirs else ""

    async def find(self, call_id: str) -> JournaledCall | None:
        kept = self._calls.get(call_id)
        return None if kept is None else _journaled(kept)

    async def keep_event_log(self, call_id: str, part: int, log: bytes) -> None:
        self._known(call_id)
        self.event_logs.setdefault(call_id, {}).setdefault(part, log)

    async def record(self, workspace: str, call_id: str) -> CallRecord | None:
        kept = self._calls.get(call_id)
        if kept is None or kept.new.workspace != workspace:
            return None
        received = sorted((each for each in self._messages.values() if each.call_id == call_id), key=lambda m: m.at)
        messages = [MessageRecord(message.message_id, message.text, message.at) for message in received]
        return msgspec.structs.replace(_record(kept, fold(kept.lines.values())), messages=messages)

    async def page(self, workspace: str, limit: int, after: Place | None) -> list[CallRecord]:
        mine = [kept for kept in self._calls.values() if kept.new.workspace == workspace]
        mine.sort(key=lambda kept: (kept.new.started_at, kept.new.call_id), reverse=True)
        older = [
            kept
            for kept in mine
            if after is None or (kept.new.started_at, kept.new.call_id) < (after.started_at, after.call_id)
        ]
        return [_record(kept, []) for kept in older[:limit]]

    async def idle(self, since: datetime, limit: int) -> list[IdleCall]:
        live = [
            kept
            for kept in self._calls.values()
            if not kept.closed_by
            and kept.changed_at <= (since if kept.transfer in ("", "unreached") else since - LONGEST_TRANSFER)
        ]
        return [IdleCall(_journaled(kept), kept.changed_at) for kept in live[:limit]]

    def _known(self, call_id: str) -> _Kept:
        kept = self._calls.get(call_id)
        if kept is None:
            raise NotFound("there is no such call")
        return kept


class MemoryOnce:
    """Implements Once, in one process."""

    def __init__(self, clock: WallClock = utc_now) -> None:
        self._clock = clock
        self._claims: dict[str, datetime] = {}
        self._answers: dict[str, bytes] = {}

    async def claim(self, key: str, expires_at: datetime) -> bool:
        if key in self._claims and self._claims[key] > self._clock():
            return False
        self._claims[key] = expires_at
        return True

    async def answer(self, key: str) -> bytes | None:
        return self._answers.get(key)

    async def keep_answer(self, key: str, answer: bytes) -> bytes:
        return self._answers.setdefault(key, answer)


def _record(kept: _Kept, turns: list[TurnRecord]) -> CallRecord:
    led = kept.new.assignment
    return msgspec.structs.replace(copy.deepcopy(kept.record), turns=turns, order_id=led.order_id, reason=led.reason)


def _journaled(kept: _Kept) -> JournaledCall:
    lines = copy.deepcopy(list(kept.lines.values()))
    on = progress(lines)
    return JournaledCall(
        call_id=kept.new.call_id,
        workspace=kept.new.workspace,
        direction=kept.new.direction,
        caller=kept.new.caller,
        callee=kept.new.callee,
        status=kept.record.status,
        started_at=kept.new.started_at,
        ended_reason=kept.record.ended_reason,
        attached=kept.attached,
        next_turn=on.next_turn,
        conversation=on.conversation,
        unanswered=on.unanswered,
        turns=fold(lines),
        metrics=copy.deepcopy(kept.record.metrics),
        outcome=kept.record.outcome,
        transfer=kept.transfer,
        transfer_to=kept.handed_over.to if kept.handed_over else "",
        whisper=kept.handed_over.whisper if kept.handed_over else "",
        transfer_stream=kept.handed_over.stream if kept.handed_over else -1,
        answered_by=kept.answered_by,
        assignment=kept.new.assignment,
        who=kept.new.who,
        tokens=on.tokens,
        untold=on.untold,
    )
