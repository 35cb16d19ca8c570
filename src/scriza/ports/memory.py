"""What is remembered of calls and of who called, and how somebody is forgotten.

Memory knows people by the pseudonym of their number (`scriza.kernel.pseudonym`); a number is only ever asked with. All
of it is the workspace's own.
"""

from datetime import date, datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope
from scriza.ports.agent import Promise, ToolRun
from scriza.ports.telephony import TurnLatency

# ---- a call as it is remembered ----------------------------------------------------------------------------------


class RememberedTurn(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One turn: what the caller said, what was generated in answer, and what of it they heard.

    Times in milliseconds count from the beginning of the call.
    """

    turn: int
    said: str = ""
    """Empty in a turn that the agent begins."""
    said_in: str = ""
    """The stage in which it was said; `stage` is the one that the answer led to."""
    stage: str = ""
    confidence: float | None = None
    said_at: datetime | None = None
    said_from_ms: int | None = None
    said_to_ms: int | None = None
    generated: str = ""
    heard: str = ""
    answered_at: datetime | None = None
    heard_from_ms: int | None = None
    heard_to_ms: int | None = None
    interrupted: bool = False
    model: str = ""
    tokens: int = 0
    cached: bool = False
    """The model's answer came from the cache."""
    clips: int = 0
    clips_cached: int = 0
    latency: TurnLatency | None = None
    meant: str = ""
    """The id of the intent, objection or FAQ that the caller's words meant."""
    kind: Literal["", "intent", "objection", "faq"] = ""
    unanswered: bool = False
    """The playbook had no answer to it."""
    learned: dict[str, str] = {}
    promised: list[Promise] = []
    tools: list[ToolRun] = []


class Evidence(msgspec.Struct, frozen=True):
    """Where something follows from: words of one turn, as the transcript has them."""

    turn: int
    quote: str


Value = str | int | bool
"""Of a field; a date is ISO 8601."""


class ExtractedField(msgspec.Struct, frozen=True):
    """A field of the playbook's `extraction`, and the caller's words that say it."""

    name: str
    value: Value
    evidence: Evidence


RefusalReason = Literal["no such field", "no such turn", "not said", "does not follow", "not allowed"]


class RefusedField(msgspec.Struct, frozen=True):
    """A field that was given a value which no utterance supports."""

    name: str
    reason: RefusalReason


class Scored(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question of the playbook's scorecard, answered."""

    id: str
    met: bool
    weight: int = 1
    evidence: Evidence | None = None
    """Words of either side; none where it is not met."""


class RememberedCall(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A call, as far as it is known; it fills while the call lives, and is worked over when it is complete."""

    call_id: str
    state: Literal["live", "complete", "worked"] = "live"
    """`worked`: summary, fields and scorecard are there."""
    direction: Literal["inbound", "outbound"] = "inbound"
    caller: str = ""
    """The pseudonym of the other side; empty when the number was withheld."""
    playbook: str = ""
    """The version that led it."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: int | None = None
    ended_reason: str = ""
    outcome: str = ""
    barge_ins: int = 0
    false_barge_ins: int = 0
    silence_prompts: int = 0
    tokens: int = 0
    summary: str = ""
    summary_by: Literal["", "rules", "model"] = ""
    fields: list[ExtractedField] = []
    refused: list[RefusedField] = []
    scorecard: list[Scored] = []
    """Empty where no model could judge."""
    turns: list[RememberedTurn] = []


class CallOutcome(msgspec.Struct, frozen=True):
    """Data of `call.outcome`: what a call came to, told once, when all that is found of it has been found."""

    call_id: str
    direction: Literal["inbound", "outbound"]
    playbook: str
    """The version that led it."""
    outcome: str
    won: bool
    """The outcome is one that the playbook counts as a success."""
    summary: str
    summary_by: Literal["", "rules", "model"]
    fields: list[ExtractedField]
    duration_seconds: int
    caller: str
    """The pseudonym of the other side."""


HotBecause = Literal["won", "promised", "transferred"]
"""What makes a lead hot: the goal is reached; something was promised, as a call back is; they talked to a person."""


class HotLead(msgspec.Struct, frozen=True):
    """Data of `lead.hot`: somebody of the team should see to this caller now."""

    call_id: str
    because: list[HotBecause]
    outcome: str
    summary: str
    caller: str


class CallsQuery(msgspec.Struct):
    """Newest first; `cursor` is the `next` of the page before. What is empty takes all."""

    day: date | None = None
    """Calls that began on it, in UTC."""
    outcome: str = ""
    playbook: str = ""
    """A version."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: str = ""


class RememberedCalls(msgspec.Struct):
    """One page, of calls without their turns; `next` is empty on the last."""

    data: list[RememberedCall]
    next: str


# ---- what is known of a caller -----------------------------------------------------------------------------------


class Recall(msgspec.Struct, frozen=True):
    """Asks what is known of who is on the line; `number` is E.164."""

    number: str


class Remembered(msgspec.Struct, omit_defaults=True):
    """Something known of a caller, and the utterance that it came from."""

    id: str
    kind: Literal["fact", "promise"]
    name: str
    """The variable that it fills, as the playbook names it; of a promise, what was promised in one word: `callback`."""
    text: str
    call_id: str = ""
    turn: int = 0
    said_at: datetime | None = None
    corrected: bool = False
    """A person of the team has put it right; calls do not change it any more."""


class CallerMemory(msgspec.Struct, omit_defaults=True):
    """All that is known of a caller; nothing for one who was never here, or was forgotten."""

    calls: int = 0
    last_call_at: datetime | None = None
    last_summary: str = ""
    last_outcome: str = ""
    known: list[Remembered] = []


class Correction(msgspec.Struct, frozen=True):
    """What is right, of one thing that is known."""

    id: str
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


# ---- forgetting --------------------------------------------------------------------------------------------------

ERASERS = ("telephony", "agent", "llm", "tts", "gateway", "webhooks", "events")
"""Who keeps something of callers beside memory, and acknowledges by `caller.erased`; `events` is the outbox."""


class CallerForgotten(msgspec.Struct, frozen=True):
    """Data of `caller.forgotten`: whoever keeps anything of these calls, or of who made them, erases it.

    It may be told again under the same erasure, of a call of which nobody had heard yet. What tells of these calls
    later is dropped. When it is done, each of `ERASERS` tells `CallerErased`.
    """

    erasure_id: str
    caller: str
    """The pseudonym of the number, by `scriza.kernel.pseudonym`; empty where it is about these calls alone, since who
    was forgotten may have called again."""
    call_ids: list[str]


class CallerErased(msgspec.Struct, frozen=True):
    """Data of `caller.erased`: nothing is left in this module; how much was there, by kind (``turns``, ``clips``).

    Its event's subject is the erasure's id and its key ``{module}/{id of the caller.forgotten that it answers}``, so
    that it counts once.
    """

    erasure_id: str
    module: str
    erased: dict[str, int]


class ModuleErasure(msgspec.Struct, frozen=True):
    """One module's part of an erasure."""

    module: str
    state: Literal["pending", "done"]
    erased: dict[str, int] = {}
    done_at: datetime | None = None


class Erasure(msgspec.Struct, frozen=True):
    """The proof that somebody was forgotten: what was erased where. It does not say whom."""

    erasure_id: str
    requested_at: datetime
    done: bool
    """Every module has said that nothing is left."""
    modules: list[ModuleErasure]


class Memory(Protocol):
    """Remembers calls."""

    @operation("POST /v1/recall", timeout=2, idempotent=True)
    async def recall(self, asked: Recall) -> CallerMemory:
        """What earlier calls of the number have taught."""
        ...

    @operation("GET /api/v1/memory/calls/{call_id}", scope=Scope.MEMORY_READ)
    async def call(self, call_id: str) -> RememberedCall:
        """One call with its turns. Raises NotFound, also for a call that was forgotten."""
        ...

    @operation("GET /api/v1/memory/calls", scope=Scope.MEMORY_READ)
    async def calls(self, query: CallsQuery) -> RememberedCalls:
        """Calls, without their turns. Raises BadInput for a cursor that no page has given."""
        ...

    @operation("GET /api/v1/memory/callers/{number}", scope=Scope.MEMORY_READ)
    async def caller(self, number: str) -> CallerMemory:
        """What is known of who has this number, E.164. Raises BadInput for what is none."""
        ...

    @operation("POST /api/v1/memory/callers/{number}/corrections", idempotent=True, scope=Scope.MEMORY_WRITE)
    async def correct(self, number: str, correction: Correction) -> Remembered:
        """Put right one thing that is known. Raises NotFound."""
        ...

    @operation("DELETE /api/v1/memory/callers/{number}/known/{known_id}", idempotent=True, scope=Scope.MEMORY_WRITE)
    async def forget_one(self, number: str, known_id: str) -> None:
        """Forget one thing that is known; earlier calls do not teach it again. One that is not there is fine."""
        ...

    @operation("DELETE /api/v1/memory/callers/{number}", idempotent=True, scope=Scope.MEMORY_FORGET)
    async def forget(self, number: str) -> Erasure:
        """Erase everything about a number, here at once and in every other module by `caller.forgotten`."""
        ...

    @operation("GET /api/v1/memory/erasures/{erasure_id}", scope=Scope.MEMORY_READ)
    async def erasure(self, erasure_id: str) -> Erasure:
        """How far an erasure is. Raises NotFound."""
        ...
