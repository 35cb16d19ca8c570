"""The documents of calls, and how they are read and written; placing and recordings have theirs beside them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from beanie import Document, SortDirection
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from scriza.modules.telephony.call_log import Assignment, Entry, JournaledCall, Place, TransferState
from scriza.modules.telephony.folding import Kind, fold, progress
from scriza.ports.agent import Conversation
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import CallMetrics, CallRecord, CallStatus, MessageRecord, ReplyGenerated, TurnRecord

Session = AsyncClientSession
AlreadyThere = DuplicateKeyError
"""Raised by an insert of what is there already. In a transaction it is the transaction's end."""
Closer = Literal["", "session", "carrier", "recovery"]
"""Who closed a call: its own session knows how it ended, the others only that it did."""

_SPANS = tuple(timedelta(days=days) for days in (1, 8, 64, 512))


class Call(Document):
    """A call, current while it lives; its turns are the journal's until it is closed."""

    workspace: str
    call_id: str
    conversation_id: str
    status: CallStatus
    rank: int = -1
    """Of the latest status report."""
    direction: Literal["inbound", "outbound"]
    caller: str
    callee: str
    who: str = ""
    stage: str = ""
    last_transcript: str = ""
    last_reply: str = ""
    confidence: float = 0.0
    tokens_used: int = 0
    started_at: datetime
    changed_at: datetime
    duration_seconds: int | None = None
    duration_confirmed: bool = False
    """The carrier has told it."""
    ended_reason: str = ""
    closed_by: Closer = ""
    outcome: str = ""
    transfer: TransferState = ""
    transfer_to: str = ""
    whisper: str = ""
    transfer_stream: int = -1
    answered_by: Answerer | Literal[""] = ""
    attached: int = 0
    metrics: dict[str, object] = {}
    turns: list[dict[str, object]] = []
    touched_by: str
    logs: int = 0
    """Parts of its event log."""
    erased: bool = False
    """Its other side is forgotten: figures are left of it, and nothing is added any more."""
    assignment: str = "{}"
    """JSON: variables may have names that the store's documents do not allow."""

    class Settings:
        """`closed_by` finds the live ones among many."""

        name = "calls"
        indexes = [
            IndexModel([("call_id", ASCENDING)], unique=True),
            IndexModel([("workspace", ASCENDING), ("started_at", DESCENDING), ("call_id", DESCENDING)]),
            IndexModel([("closed_by", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("caller", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("callee", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("who", ASCENDING)]),
        ]


class CallTurn(Document):
    """One line of the journal: inserted once, never changed."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """Call, turn and kind: what makes a line the same line."""
    workspace: str
    call_id: str
    turn: int
    kind: Kind
    text: str
    stage: str
    at: datetime
    confidence: float
    tokens: int
    conversation: str | None
    """JSON: slots may have names that the store's documents do not allow."""
    told: str | None = None
    """JSON, as `conversation` is."""

    class Settings:
        """Read by call."""

        name = "call_turns"
        indexes = [IndexModel([("call_id", ASCENDING)])]


class CallEventLog(Document):
    """A part of the call machine's event log."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    call_id: str
    part: int
    log: bytes

    class Settings:
        """Read by call, for replay."""

        name = "call_event_logs"
        indexes = [IndexModel([("call_id", ASCENDING)])]


class CallMessage(Document):
    """A text message that was received: inserted once, never changed."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    call_id: str
    who: str = ""
    text: str
    at: datetime

    class Settings:
        """Read by call, erased by person."""

        name = "call_messages"
        indexes = [IndexModel([("call_id", ASCENDING)]), IndexModel([("workspace", ASCENDING), ("who", ASCENDING)])]


class Claim(Document):
    """A key that must not be claimed again before it expires."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    expires_at: datetime

    class Settings:
        """The store removes what has expired, a minute late or so."""

        name = "once"
        indexes = [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]


class WebhookAnswer(Document):
    """What was answered to a webhook that may come again."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    call_id: str = ""
    answer: bytes
    expires_at: datetime

    class Settings:
        """Erased by call; the store removes what has expired, a minute late or so."""

        name = "webhook_answers"
        indexes = [
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
            IndexModel([("call_id", ASCENDING)]),
        ]


DOCUMENTS: tuple[type[Document], ...] = (Call, CallTurn, CallEventLog, CallMessage, Claim, WebhookAnswer)


async def read_call(call_id: str, session: Session | None = None) -> Call | None:
    """The call's document."""
    return await Call.find_one({"call_id": call_id}, session=session)


async def read_page(workspace: str, limit: int, after: Place | None, now: datetime) -> list[Call]:
    """The workspace's calls, newest first, beginning after a place.

    The embedded server reads all that a query matches before it sorts and cuts, so a page is looked for in the last
    day, then in ever longer spans.
    """
    newest_first = [("started_at", SortDirection.DESCENDING), ("call_id", SortDirection.DESCENDING)]
    latest = after.started_at if after else now
    found: list[Call] = []
    for span in (*_SPANS, None):
        wanted: dict[str, object] = {"workspace": workspace}
        if span is not None:
            wanted["started_at"] = {"$gte": latest - span}
        if after is not None:
            older = {"started_at": {"$lt": after.started_at}}
            same_moment = {"started_at": after.started_at, "call_id": {"$lt": after.call_id}}
            wanted["$or"] = [older, same_moment]
        found = await Call.find(wanted).sort(newest_first).limit(limit).to_list()
        if len(found) == limit:
            break
    return found


async def update_call(which: Mapping[str, object], update: Mapping[str, object], session: Session) -> bool:
    """Update the call of this description; False when there is none."""
    result = await Call.get_pymongo_collection().update_one(which, update, session=session)
    return result.matched_count == 1


async def read_lines(call_id: str, session: Session | None = None) -> list[Entry]:
    """The call's journal, in no particular order."""
    lines = await CallTurn.find({"call_id": call_id}, session=session).to_list()
    return [
        Entry(
            call_id=line.call_id,
            turn=line.turn,
            kind=line.kind,
            text=line.text,
            stage=line.stage,
            at=line.at,
            confidence=line.confidence,
            tokens=line.tokens,
            conversation=None if line.conversation is None else _CONVERSATION.decode(line.conversation),
            told=None if line.told is None else _REPLY.decode(line.told),
        )
        for line in lines
    ]


async def insert_lines(entries: Sequence[Entry], workspace: str, session: Session) -> None:
    """Journal the lines of one call. Raises AlreadyThere when one of them is."""
    await CallTurn.insert_many([_line(entry, workspace) for entry in entries], session=session)


async def existing_lines(ids: Sequence[str]) -> list[str]:
    """Which of these lines are journalled."""
    return [line.id for line in await CallTurn.find({"_id": {"$in": ids}}).to_list()]


async def read_messages(call_id: str) -> list[MessageRecord]:
    """What was received beside a call, oldest first."""
    found = await CallMessage.find({"call_id": call_id}).sort("+at").to_list()
    return [MessageRecord(message.id, message.text, message.at) for message in found]


async def read_last_call_with(workspace: str, number: str) -> Call | None:
    """The latest call from or to a number."""
    either = [{"workspace": workspace, side: number} for side in ("caller", "callee")]
    latest = [await Call.find(which).sort("-started_at").limit(1).to_list() for which in either]
    return max((call for calls in latest for call in calls), key=lambda call: call.started_at, default=None)


def _line(entry: Entry, workspace: str) -> CallTurn:
    return CallTurn(
        _id=line_id(entry),
        workspace=workspace,
        call_id=entry.call_id,
        turn=entry.turn,
        kind=entry.kind,
        text=entry.text,
        stage=entry.stage,
        at=entry.at,
        confidence=entry.confidence,
        tokens=entry.tokens,
        conversation=None if entry.conversation is None else msgspec.json.encode(entry.conversation).decode(),
        told=None if entry.told is None else msgspec.json.encode(entry.told).decode(),
    )


def line_id(entry: Entry) -> str:
    """What makes a line the same line: call, turn and kind."""
    return f"{entry.call_id}/{entry.turn}/{entry.kind}"


def journaled(call: Call, lines: Sequence[Entry]) -> JournaledCall:
    """The call as it can be gone on with."""
    on = progress(lines)
    return JournaledCall(
        call_id=call.call_id,
        workspace=call.workspace,
        direction=call.direction,
        caller=call.caller,
        callee=call.callee,
        status=call.status,
        started_at=call.started_at,
        ended_reason=call.ended_reason,
        attached=call.attached,
        next_turn=on.next_turn,
        conversation=on.conversation,
        unanswered=on.unanswered,
        turns=fold(lines),
        metrics=msgspec.convert(call.metrics, CallMetrics),
        outcome=call.outcome,
        transfer=call.transfer,
        transfer_to=call.transfer_to,
        whisper=call.whisper,
        transfer_stream=call.transfer_stream,
        answered_by=call.answered_by,
        assignment=assignment_of(call),
        who=call.who,
        tokens=on.tokens,
        untold=on.untold,
    )


def record(call: Call, turns: list[TurnRecord], messages: list[MessageRecord]) -> CallRecord:
    """The call as it is told outside, with these turns and messages."""
    assignment = assignment_of(call)
    return CallRecord(
        call_id=call.call_id,
        conversation_id=call.conversation_id,
        status=call.status,
        direction=call.direction,
        stage=call.stage,
        last_transcript=call.last_transcript,
        last_reply=call.last_reply,
        confidence=call.confidence,
        tokens_used=call.tokens_used,
        started_at=call.started_at,
        duration_seconds=call.duration_seconds,
        ended_reason=call.ended_reason,
        outcome=call.outcome,
        turns=turns,
        metrics=msgspec.convert(call.metrics, CallMetrics),
        order_id=assignment.order_id,
        reason=assignment.reason,
        messages=messages,
        forgotten=call.erased,
    )


def assignment_of(call: Call) -> Assignment:
    """How the call is to be led."""
    return _ASSIGNMENT.decode(call.assignment)


def stored_turns(turns: Sequence[TurnRecord]) -> list[dict[str, object]]:
    """Turns as the call's document keeps them."""
    return [msgspec.structs.asdict(turn) for turn in turns]


def stored_metrics(metrics: CallMetrics) -> dict[str, object]:
    """Metrics as the call's document keeps them."""
    return dict(msgspec.to_builtins(metrics))


_ASSIGNMENT = msgspec.json.Decoder(Assignment)
_CONVERSATION = msgspec.json.Decoder(Conversation)
_REPLY = msgspec.json.Decoder(ReplyGenerated)
