"""What can be asked about calls. Twilio's webhooks and the media socket are telephony's own routes."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope
from scriza.ports.agent import TurnNotes

CallStatus = Literal[
    "queued", "initiated", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"
]
"""Twilio's own words."""
TERMINAL: frozenset[CallStatus] = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""Those after which a call does not go on."""


class TurnRecord(msgspec.Struct):
    """One turn. `user` is empty for what the agent says unasked; `agent` is what the caller heard of the answer."""

    user: str
    agent: str
    stage: str
    confidence: float


class TurnLatency(msgspec.Struct):
    """Where one answer's time went, in milliseconds, from the caller's last voiced frame to our first audible one."""

    turn: int
    endpoint_ms: int
    """Silence until the turn was taken to be over."""
    asr_ms: int
    """From there until the words were there; 0 when they came earlier."""
    llm_ms: int
    """From there until the first clause was there."""
    tts_ms: int
    """From there until the clause's first audio was there."""
    send_ms: int
    """From there until the first frame was on the wire."""
    total_ms: int


class CallMetrics(msgspec.Struct):
    """Figures of one call."""

    turns: int = 0
    barge_ins: int = 0
    false_barge_ins: int = 0
    reattached: int = 0
    """Streams that took the call up again after one was lost."""
    transfers: int = 0
    """Times that a person was called, reached or not."""
    silence_prompts: int = 0
    """Times that the caller fell silent and was asked whether they are there."""
    latencies: list[TurnLatency] = []


class MessageRecord(msgspec.Struct):
    """A text message that the other side of a call has sent after it, or during it."""

    message_id: str
    text: str
    received_at: datetime


class CallRecord(msgspec.Struct):
    """A call, current while it lives. `call_id` is Twilio's CallSid."""

    call_id: str
    conversation_id: str
    status: CallStatus
    direction: Literal["inbound", "outbound"]
    stage: str
    last_transcript: str
    last_reply: str
    confidence: float
    tokens_used: int
    started_at: datetime
    duration_seconds: int | None
    ended_reason: str
    outcome: str
    turns: list[TurnRecord]
    metrics: CallMetrics
    order_id: str = ""
    """The order by which it was placed; empty for a call that came in."""
    reason: str = ""
    """Why it was placed, as the order says."""
    messages: list[MessageRecord] = []
    forgotten: bool = False
    """The other side has been forgotten: nothing but figures is left of the call."""


class CallQuery(msgspec.Struct):
    """Newest first; `cursor` is the `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: str = ""


class CallPage(msgspec.Struct):
    """One page; `next` is empty on the last."""

    data: list[CallRecord]
    next: str


class RecordingLink(msgspec.Struct):
    """Where a call's recording can be heard. `url` opens to anybody who holds it, for an hour."""

    url: str
    duration_seconds: float
    channels: int
    """2: the caller is left, the agent right."""


class Telephony(Protocol):
    """Calls, live and past."""

    @operation("GET /api/v1/calls/{call_id}", scope=Scope.CALLS_READ)
    async def call(self, call_id: str) -> CallRecord:
        """One call with its turns and messages. Raises NotFound."""
        ...

    @operation("GET /api/v1/calls", scope=Scope.CALLS_READ)
    async def calls(self, query: CallQuery) -> CallPage:
        """Calls of the workspace, without their turns."""
        ...

    @operation("GET /api/v1/calls/{call_id}/recording", scope=Scope.CALLS_READ)
    async def recording(self, call_id: str) -> RecordingLink:
        """Where the call can be heard. Raises NotFound when it was not recorded, Conflict until it is complete."""
        ...


class CallStarted(msgspec.Struct, frozen=True):
    """Data of `call.started`; numbers are not in it."""

    call_id: str
    direction: Literal["inbound", "outbound"]
    caller: str = ""
    """Who is on the other side, as `scriza.kernel.pseudonym` names them; empty when their number is withheld."""
    playbook: str = ""
    """The playbook that was asked for, a slug or a version; empty for the default one. `call.updated` tells which."""


class CallUpdated(msgspec.Struct, frozen=True):
    """Data of `call.updated`: the stage or the status has changed."""

    call_id: str
    status: CallStatus
    stage: str
    playbook: str = ""
    """The version that leads the call; empty until the agent has said by which it does."""


class CallCompleted(msgspec.Struct, frozen=True):
    """Data of `call.completed`, told once a call."""

    call_id: str
    status: CallStatus
    ended_reason: str
    outcome: str
    duration_seconds: int
    turns: int
    direction: Literal["inbound", "outbound"] = "inbound"
    caller: str = ""
    """As in `CallStarted`."""
    playbook: str = ""
    """The version that led the call; empty when nothing did."""
    started_at: datetime | None = None
    barge_ins: int = 0
    false_barge_ins: int = 0
    silence_prompts: int = 0
    confidence: float | None = None
    """The recogniser's, as a mean over what the caller said; none when they said nothing."""
    tokens: int = 0


class MessageReceived(msgspec.Struct, frozen=True):
    """Data of `message.received`; `call_id` is the last call with who sent it, empty when there was none."""

    call_id: str
    message_id: str
    text: str
    caller: str = ""
    """Who has sent it, as in `CallStarted`."""


class UtteranceTranscribed(msgspec.Struct, frozen=True):
    """Data of `utterance.transcribed`. Times are milliseconds since the call began, none where nobody knows them."""

    call_id: str
    turn: int
    text: str
    confidence: float
    stage: str = ""
    """The one in which it was said."""
    began_ms: int | None = None
    ended_ms: int | None = None
    """The last voiced frame."""


class ReplyGenerated(msgspec.Struct, frozen=True):
    """Data of `reply.generated`: what was generated and what of it was heard, once that is known.

    Times are milliseconds since the call began, none for what never sounded.
    """

    call_id: str
    turn: int
    text: str
    heard: str
    stage: str
    model: str
    """Empty for a line that telephony says by itself."""
    tokens: int
    stage_before: str = ""
    notes: TurnNotes = TurnNotes()
    """Empty when the answer was broken off before the agent was done with it."""
    latency: TurnLatency | None = None
    """None for what is said unasked."""
    cached: bool = False
    """The model's answer came from the cache."""
    clips: int = 0
    """So many were made of it, and `clips_cached` of these came from the cache."""
    clips_cached: int = 0
    interrupted: bool = False
    """The caller spoke over it and took the turn."""
    began_ms: int | None = None
    ended_ms: int | None = None


class AudioSynthesized(msgspec.Struct, frozen=True):
    """Data of `audio.synthesized`: one clip of an answer."""

    call_id: str
    turn: int
    clip: int
    duration_ms: int
    cache_hit: bool
