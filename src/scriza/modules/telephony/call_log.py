"""Telephony's journal: the truth about each call, and the doors behind which it is kept.

While a call lives, what happens is appended and never changed; the call's record is brought up to date with it in
the same transaction, as are the events that tell of it. When the call ends, the journal's turns are folded into
the record.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec

from scriza.kernel.events import Event
from scriza.ports.agent import Conversation
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import CallMetrics, CallRecord, CallStatus, ReplyGenerated, TurnRecord

TransferState = Literal["", "wanted", "reached", "unreached"]
"""Where a call's latest transfer is: the person is being called, has taken the call, or could not be reached."""

LONGEST_TRANSFER = timedelta(hours=4)
"""No call that a carrier connects lasts longer."""


class Assignment(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a call is to be led, as far as it was decided before it began."""

    playbook: str = ""
    person: str = ""
    """Who takes over on request, E.164; empty for whom the settings name."""
    order_id: str = ""
    """The order by which we placed it."""
    reason: str = ""
    variables: dict[str, str] = {}
    """What is known of the callee, by the names of the playbook's slots."""


class NewCall(msgspec.Struct, frozen=True):
    """A call as its first webhook tells it. Numbers are E.164, or empty when withheld."""

    call_id: str
    workspace: str
    direction: Literal["inbound", "outbound"]
    caller: str
    callee: str
    status: CallStatus
    started_at: datetime
    assignment: Assignment = Assignment()
    who: str = ""
    """The pseudonym of the other side's number; empty when that is withheld."""


class ReceivedMessage(msgspec.Struct, frozen=True):
    """A text message that somebody has sent us. `call_id` is the last call with them, empty when there was none."""

    message_id: str
    workspace: str
    call_id: str
    text: str
    at: datetime
    who: str = ""
    """The pseudonym of the sender's number."""


class StatusReport(msgspec.Struct, frozen=True):
    """One status callback. A report with a lower `sequence` than one already seen changes nothing."""

    call_id: str
    status: CallStatus
    sequence: int
    at: datetime
    duration_seconds: int | None = None
    reason: str = ""
    """How a call that this closes is said to have ended; empty for the status's word."""


class Entry(msgspec.Struct, frozen=True):
    """One line of the journal; `turn` counts from 0, the opening.

    - `user`: the caller's turn was taken to be over; `text` is what was understood.
    - `reply`: the answer is complete; `text` is what was generated, `conversation` the value to go on with, and `told`
      what is told of it should nobody be there any more to say what was heard.
    - `heard`: the answer has been spoken or was interrupted; `text` is what the caller heard of it.
    """

    call_id: str
    turn: int
    kind: Literal["user", "reply", "heard"]
    text: str
    stage: str
    at: datetime
    confidence: float = 1.0
    tokens: int = 0
    conversation: Conversation | None = None
    told: ReplyGenerated | None = None


class Ending(msgspec.Struct, frozen=True):
    """How a call ended, as far as this process knows."""

    call_id: str
    reason: str
    at: datetime
    duration_seconds: int
    metrics: CallMetrics
    outcome: str = ""
    idle_since: datetime | None = None
    """End it only if nothing has happened to it after this time; for calls that seem to be forgotten."""
    stream: int = 0
    """The stream that it ended on, as `JournaledCall.attached` counts them: a call that has another by now goes on.

    0 where no stream ends it.
    """


class HandOver(msgspec.Struct, frozen=True):
    """A stream is over because the caller is to be connected to a person; the call itself goes on.

    `to` is E.164; `whisper` is what the person hears before the two are connected, empty connects them at once.
    `stream` is the one that it happened on, as `JournaledCall.attached` counts them; 0 when there was none yet.
    """

    call_id: str
    to: str
    whisper: str
    stream: int
    at: datetime
    metrics: CallMetrics
    outcome: str = ""


class JournaledCall(msgspec.Struct):
    """A call as it can be gone on with, read from the journal alone.

    `ended_reason` is empty while it may go on. `conversation` is the last one journalled, none before the opening's.
    `next_turn` and `unanswered`, what the caller said last when nothing was heard in answer, are those of
    `folding.Progress`. `attached` counts the media streams that have been opened for it.
    """

    call_id: str
    workspace: str
    direction: Literal["inbound", "outbound"]
    caller: str
    callee: str
    status: CallStatus
    started_at: datetime
    ended_reason: str
    attached: int
    next_turn: int
    conversation: Conversation | None
    unanswered: str
    turns: list[TurnRecord]
    metrics: CallMetrics = msgspec.field(default_factory=CallMetrics)
    """Of all streams so far."""
    outcome: str = ""
    transfer: TransferState = ""
    transfer_to: str = ""
    whisper: str = ""
    transfer_stream: int = -1
    """The stream that the latest transfer began on; -1 while there was none."""
    answered_by: Answerer | Literal[""] = ""
    """Who took a call that we placed; empty while nobody has told."""
    assignment: Assignment = Assignment()
    who: str = ""
    """As in `NewCall`."""
    tokens: int = 0
    untold: list[ReplyGenerated] = []
    """Answers of which no session has told what was heard: they are taken to be heard, and told when the call ends."""

    @property
    def playbook(self) -> str:
        """The version that leads the call; empty when the journal knows of none."""
        return self.conversation.playbook if self.conversation else ""

    @property
    def in_transfer(self) -> bool:
        """Whether the caller is being connected to a person, or talks to one."""
        return self.transfer in ("wanted", "reached")

    @property
    def comes_back(self) -> bool:
        """Whether this is the first stream after a person could not be reached."""
        return self.transfer == "unreached" and self.attached == self.transfer_stream + 1


class CallLog(Protocol):
    """Keeps calls. Every method is idempotent and leaves nothing half done when the process dies in it."""

    async def open(self, call: NewCall, *events: Event) -> bool:
        """Record a call once; False when it was already there (then nothing changes and no event is told)."""
        ...

    async def report(self, report: StatusReport, *events: Event) -> bool:
        """Apply a status callback; False when it is older than what is known, or the call is unknown.

        A terminal status also closes the record of a call that no stream ever closed (`ended_reason` is then the
        status's word) and folds its turns; `call.completed` among `events` is told only when this closes it.
        A terminal word stands over every other one, so reports give the same record in whatever order they come.
        """
        ...

    async def attach(self, call_id: str) -> JournaledCall:
        """A media stream has opened: count it and read the call. Raises NotFound."""
        ...

    async def append(
        self, entries: Sequence[Entry], events: Sequence[Event], metrics: CallMetrics | None = None
    ) -> None:
        """Journal lines of one call and bring its record up to date, in one transaction with the events.

        The record's `last_transcript` (from `user`), `last_reply` (`reply`, then `heard`), `confidence`,
        `stage` and `tokens_used` follow, and `metrics` where they are given. A line that is already there (same
        call, turn, kind) is left out and counts no tokens. A line that comes after the end still finds its way
        into the folded turns. Raises NotFound for an unknown call.
        """
        ...

    async def end(self, ending: Ending, *events: Event) -> bool:
        """Set the reason, duration, outcome and metrics and fold the turns; False when the call had already ended.

        Events are told only by the one that ends it. An ending on a stream that is not the call's latest changes
        nothing, and False is returned. The true duration may still come with the carrier's report.
        A call that was closed from outside (by a terminal status, or as lost) knows neither its reason nor its
        metrics: the session's own ending still completes the record then, and False is returned.
        """
        ...

    async def hand_over(self, hand_over: HandOver) -> None:
        """The caller is to be connected to a person.

        A call that has ended, that has another stream by now, or that is unknown, stays as it is.
        """
        ...

    async def transferred(self, call_id: str, state: Literal["reached", "unreached"], at: datetime) -> bool:
        """What became of a transfer; False when the call is in none. Who was reached can still turn out not to be."""
        ...

    async def answered(self, call_id: str, by: Answerer, at: datetime) -> bool:
        """Who took the call; the first to be told stands, and it is False for others and for an unknown call."""
        ...

    async def keep_message(self, message: ReceivedMessage, *events: Event) -> bool:
        """Keep a message beside its call, in one transaction with the events; False when it was there already."""
        ...

    async def find(self, call_id: str) -> JournaledCall | None:
        """The call as it can be gone on with; none when it is unknown."""
        ...

    async def keep_event_log(self, call_id: str, part: int, log: bytes) -> None:
        """Keep a part of the machine's event log (JSON lines), for replay."""
        ...


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of calls ends: the next one begins with older calls."""

    started_at: datetime
    call_id: str


class IdleCall(msgspec.Struct, frozen=True):
    """A call that has not ended, and when something last happened to it."""

    call: JournaledCall
    changed_at: datetime


class CallReader(Protocol):
    """Reads what the log keeps."""

    async def record(self, workspace: str, call_id: str) -> CallRecord | None:
        """The call with its turns and messages; none when the workspace has no such call.

        A live call's turns are those of its journal.
        """
        ...

    async def last_call_with(self, workspace: str, number: str) -> str:
        """The latest call from or to a number; empty when there was none."""
        ...

    async def page(self, workspace: str, limit: int, after: Place | None) -> list[CallRecord]:
        """At most `limit` calls of the workspace, newest first, beginning after a place; without their turns."""
        ...

    async def idle(self, since: datetime, limit: int) -> list[IdleCall]:
        """At most `limit` calls of any workspace that have not ended and to which nothing happened after `since`.

        Nothing is heard of a call in a transfer until the carrier tells how it went, so one is among them only when
        it has been there for `LONGEST_TRANSFER` longer.
        """
        ...


class Once(Protocol):
    """Remembers what must not happen twice, for at least a day, across processes."""

    async def claim(self, key: str, expires_at: datetime) -> bool:
        """True for the first to claim the key, in any process; False for everybody else until it expires."""
        ...

    async def answer(self, key: str) -> bytes | None:
        """What was answered under this key before; none when nothing was."""
        ...

    async def keep_answer(self, key: str, answer: bytes) -> bytes:
        """Keep the answer and return the one that stands: this one, or that of whoever was first."""
        ...
