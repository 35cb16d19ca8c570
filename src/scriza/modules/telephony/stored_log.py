"""Telephony's journal in the store.

Every change of a call is one conditional update, in one transaction with the journal lines and events that belong to
it. A transaction may be repeated although it was committed (its acknowledgement got lost), so each leaves the mark of
the method call that made it (`touched_by`), and a repetition recognises its own mark.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Conflict, NotFound
from scriza.kernel.events import Event, Topic
from scriza.kernel.ids import new_id
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
)
from scriza.modules.telephony.documents import (
    AlreadyThere,
    Call,
    CallEventLog,
    CallMessage,
    Session,
    existing_lines,
    insert_lines,
    journaled,
    line_id,
    read_call,
    read_last_call_with,
    read_lines,
    read_messages,
    read_page,
    record,
    stored_metrics,
    stored_turns,
    update_call,
)
from scriza.modules.telephony.folding import fold, is_terminal, rank
from scriza.ports.carrier import Answerer
from scriza.ports.store import Store, UnitOfWork
from scriza.ports.telephony import CallMetrics, CallRecord, TurnRecord

Unit = UnitOfWork[Session]

_COLLISIONS = 5
_REMEMBERED = 10_000


class MongoCallLog:
    """Implements CallLog and CallReader on the store."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store = store
        self._clock = clock
        self._workspaces: dict[str, str] = {}

    async def open(self, call: NewCall, *events: Event) -> bool:
        """See CallLog."""
        mark = new_id("op")

        async def work(unit: Unit) -> None:
            known = msgspec.structs.asdict(call) | {"assignment": msgspec.json.encode(call.assignment).decode()}
            await Call(
                **known,
                conversation_id=call.call_id,
                changed_at=call.started_at,
                metrics=stored_metrics(CallMetrics()),
                touched_by=mark,
            ).insert(session=unit.session)
            await unit.publish(*events)

        try:
            await self._store.run(work)
        except AlreadyThere:
            return await self._bears(call.call_id, mark)
        return True

    async def report(self, report: StatusReport, *events: Event) -> bool:
        """See CallLog."""
        mark = new_id("op")
        position = rank(report)
        changes: dict[str, object] = {"status": report.status, "rank": position, "touched_by": mark}
        if report.duration_seconds is not None:
            changes |= {"duration_seconds": report.duration_seconds, "duration_confirmed": True}

        async def work(unit: Unit) -> bool:
            newer = {"call_id": report.call_id, "rank": {"$lt": position}}
            if not await update_call(newer, {"$set": changes, "$max": {"changed_at": report.at}}, unit.session):
                return False
            closes = is_terminal(position) and await self._close_from_outside(unit, report)
            await unit.publish(*(event for event in events if closes or event.type != Topic.CALL_COMPLETED))
            return True

        return await self._store.run(work) or await self._bears(report.call_id, mark)

    async def _close_from_outside(self, unit: Unit, report: StatusReport) -> bool:
        turns = fold(await read_lines(report.call_id, unit.session))
        reason = report.reason or report.status
        closing = {"closed_by": "carrier", "ended_reason": reason, "turns": stored_turns(turns)}
        if await update_call({"call_id": report.call_id, "closed_by": ""}, {"$set": closing}, unit.session):
            return True
        closed_so = {"call_id": report.call_id, "closed_by": "carrier"}
        await update_call(closed_so, {"$set": {"ended_reason": reason}}, unit.session)
        return False

    async def attach(self, call_id: str) -> JournaledCall:
        """See CallLog."""
        mark = new_id("op")

        async def work(unit: Unit) -> None:
            counted_once = {"call_id": call_id, "touched_by": {"$ne": mark}}
            now = {"changed_at": self._clock()}
            await update_call(
                counted_once, {"$inc": {"attached": 1}, "$set": {"touched_by": mark}, "$max": now}, unit.session
            )

        await self._store.run(work)
        call = await self.find(call_id)
        if call is None:
            raise NotFound("there is no such call")
        return call

    async def append(
        self, entries: Sequence[Entry], events: Sequence[Event], metrics: CallMetrics | None = None
    ) -> None:
        """See CallLog."""
        lines = {line_id(entry): entry for entry in reversed(entries)}
        for _ in range(_COLLISIONS):
            work = partial(self._append, lines=list(reversed(lines.values())), events=events, metrics=metrics)
            try:
                await self._store.run(work)
            except AlreadyThere:
                with self._store.errors():
                    for known in await existing_lines(list(lines)):
                        del lines[known]
            else:
                return
        raise Conflict("others keep journalling the same lines")

    async def _append(
        self, unit: Unit, *, lines: Sequence[Entry], events: Sequence[Event], metrics: CallMetrics | None
    ) -> None:
        if lines and not await self._journal(unit, lines, metrics):
            return
        await unit.publish(*events)

    async def _journal(self, unit: Unit, lines: Sequence[Entry], metrics: CallMetrics | None) -> bool:
        """False, and nothing is kept, when the call is forgotten."""
        call_id = lines[0].call_id
        workspace = await self._workspace(call_id)
        tokens, latest = sum(entry.tokens for entry in lines), max(entry.at for entry in lines)
        changes = _followed(lines)
        if metrics is not None:
            changes["metrics"] = stored_metrics(metrics)
        update = {"$set": changes, "$inc": {"tokens_used": tokens}, "$max": {"changed_at": latest}}
        if await update_call({"call_id": call_id, "closed_by": ""}, update, unit.session):
            await insert_lines(lines, workspace, unit.session)
            return True
        call = await read_call(call_id, unit.session)
        if call is None or call.erased:
            return False
        await insert_lines(lines, workspace, unit.session)
        changes["turns"] = stored_turns(fold(await read_lines(call_id, unit.session)))
        await update_call({"call_id": call_id, "erased": {"$ne": True}}, update, unit.session)
        return True

    async def _workspace(self, call_id: str) -> str:
        """The call's workspace, which never changes; remembered, since a live call is asked for it with every turn."""
        if call_id not in self._workspaces:
            call = await read_call(call_id)
            if call is None:
                raise NotFound("there is no such call")
            if len(self._workspaces) >= _REMEMBERED:
                self._workspaces.clear()
            self._workspaces[call_id] = call.workspace
        return self._workspaces[call_id]

    async def end(self, ending: Ending, *events: Event) -> bool:
        """See CallLog."""
        mark = new_id("op")

        async def work(unit: Unit) -> bool:
            call = await read_call(ending.call_id, unit.session)
            if call is None or call.closed_by == "session" or ending.stream not in (0, call.attached):
                return False
            turns = fold(await read_lines(ending.call_id, unit.session))
            changes: dict[str, object] = {
                "closed_by": "session" if ending.idle_since is None else "recovery",
                "ended_reason": ending.reason,
                "outcome": ending.outcome,
                "metrics": stored_metrics(ending.metrics),
                "turns": stored_turns(turns),
                "touched_by": mark,
            }
            if not call.duration_confirmed:
                changes["duration_seconds"] = ending.duration_seconds
            update = {"$set": changes, "$max": {"changed_at": ending.at}}
            live: dict[str, object] = {"call_id": ending.call_id, "closed_by": ""}
            if ending.idle_since is not None:
                live["changed_at"] = {"$lte": ending.idle_since}
            if await update_call(live, update, unit.session):
                await unit.publish(*events)
                return True
            if ending.idle_since is None:
                closed_from_outside = {"call_id": ending.call_id, "closed_by": {"$in": ["carrier", "recovery"]}}
                await update_call(
                    closed_from_outside, {"$set": {**changes, "touched_by": call.touched_by}}, unit.session
                )
            return False

        return await self._store.run(work) or await self._bears(ending.call_id, mark)

    async def hand_over(self, hand_over: HandOver) -> None:
        """See CallLog."""
        changes: dict[str, object] = {
            "transfer": "wanted",
            "transfer_to": hand_over.to,
            "whisper": hand_over.whisper,
            "transfer_stream": hand_over.stream,
            "outcome": hand_over.outcome,
            "metrics": stored_metrics(hand_over.metrics),
        }
        stream = hand_over.stream
        new: list[dict[str, object]] = [{"transfer": ""}, {"transfer_stream": {"$ne": stream}}]
        live = {"call_id": hand_over.call_id, "closed_by": "", "attached": stream, "$or": new}
        await self._change(live, changes, hand_over.at)

    async def transferred(self, call_id: str, state: Literal["reached", "unreached"], at: datetime) -> bool:
        """See CallLog."""
        in_transfer = {"call_id": call_id, "transfer": {"$in": ["wanted", "reached"]}}
        return await self._change(in_transfer, {"transfer": state}, at)

    async def answered(self, call_id: str, by: Answerer, at: datetime) -> bool:
        """See CallLog."""
        return await self._change({"call_id": call_id, "answered_by": {"$in": ["", None]}}, {"answered_by": by}, at)

    async def _change(self, which: Mapping[str, object], changes: Mapping[str, object], at: datetime) -> bool:
        """A change of one call on a condition that the change itself ends, so that it can be repeated."""
        mark = new_id("op")
        update = {"$set": {**changes, "touched_by": mark}, "$max": {"changed_at": at}}

        async def work(unit: Unit) -> bool:
            return await update_call(which, update, unit.session)

        return await self._store.run(work) or await self._bears(str(which["call_id"]), mark)

    async def keep_message(self, message: ReceivedMessage, *events: Event) -> bool:
        """See CallLog."""

        async def work(unit: Unit) -> None:
            fields = msgspec.structs.asdict(message)
            await CallMessage(_id=fields.pop("message_id"), **fields).insert(session=unit.session)
            await unit.publish(*events)

        try:
            await self._store.run(work)
        except AlreadyThere:
            return False
        return True

    async def find(self, call_id: str) -> JournaledCall | None:
        """See CallLog."""
        with self._store.errors():
            call = await read_call(call_id)
            return None if call is None else journaled(call, await read_lines(call_id))

    async def keep_event_log(self, call_id: str, part: int, log: bytes) -> None:
        """See CallLog. Raises NotFound for an unknown call."""

        async def work(unit: Unit) -> None:
            call = await read_call(call_id, unit.session)
            if call is None:
                raise NotFound("there is no such call")
            # Counted in the call, so that none comes in beside the erasing of the others.
            if await update_call({"call_id": call_id, "erased": {"$ne": True}}, {"$inc": {"logs": 1}}, unit.session):
                fields = {"workspace": call.workspace, "call_id": call_id, "part": part, "log": log}
                await CallEventLog(_id=f"{call_id}/{part}", **fields).insert(session=unit.session)

        with contextlib.suppress(AlreadyThere):
            await self._store.run(work)

    async def record(self, workspace: str, call_id: str) -> CallRecord | None:
        """See CallReader."""
        with self._store.errors():
            call = await Call.find_one({"call_id": call_id, "workspace": workspace})
            if call is None:
                return None
            closed = bool(call.closed_by)
            turns = msgspec.convert(call.turns, list[TurnRecord]) if closed else fold(await read_lines(call_id))
            return record(call, turns, await read_messages(call_id))

    async def last_call_with(self, workspace: str, number: str) -> str:
        """See CallReader."""
        with self._store.errors():
            call = await read_last_call_with(workspace, number)
        return "" if call is None else call.call_id

    async def page(self, workspace: str, limit: int, after: Place | None) -> list[CallRecord]:
        """See CallReader."""
        with self._store.errors():
            calls = await read_page(workspace, limit, after, self._clock())
        return [record(call, [], []) for call in calls]

    async def idle(self, since: datetime, limit: int) -> list[IdleCall]:
        """See CallReader."""
        with self._store.errors():
            with_us: dict[str, object] = {"transfer": {"$nin": ["wanted", "reached"]}}
            for_ages: dict[str, object] = {"changed_at": {"$lte": since - LONGEST_TRANSFER}}
            idle = {"closed_by": "", "changed_at": {"$lte": since}, "$or": [with_us, for_ages]}
            calls = await Call.find(idle).limit(limit).to_list()
            return [IdleCall(journaled(call, await read_lines(call.call_id)), call.changed_at) for call in calls]

    async def _bears(self, call_id: str, mark: str) -> bool:
        """Whether the call's last change was this method's own, in a transaction whose end it did not learn."""
        with self._store.errors():
            return await Call.find_one({"call_id": call_id, "touched_by": mark}) is not None


def _followed(lines: Sequence[Entry]) -> dict[str, object]:
    """What the call's record takes over from new lines."""
    changes: dict[str, object] = {}
    for entry in lines:
        changes["stage"] = entry.stage
        if entry.kind == "user":
            changes |= {"last_transcript": entry.text, "confidence": entry.confidence}
        else:
            changes["last_reply"] = entry.text
    return changes
