"""The agent leads the conversation: it opens, answers and decides, and keeps no state between requests.

What it must remember is the `Conversation`: a value that goes in with each request and comes back changed.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.redaction import without_cards
from scriza.ports.llm import Message, Usage
from scriza.ports.strategy import PlaybookRef


class Exchange(msgspec.Struct):
    """One turn of the conversation. `agent` is what the caller heard of the answer, not what was generated."""

    user: str
    agent: str = ""
    line_ids: list[str] = []
    """Lines and text messages of the playbook that the answer was made of, so that none is given twice."""


class Promise(msgspec.Struct, frozen=True):
    """Something that the agent has promised the caller: ``callback``, and in words what was said of it."""

    name: str
    text: str


class Proposal(msgspec.Struct, frozen=True):
    """A tool that the caller has been asked to agree to; `arguments` is JSON text."""

    tool: str
    arguments: str


class Conversation(msgspec.Struct):
    """All that the agent knows of a call."""

    playbook: str
    """The version of the playbook that the call is pinned to."""
    stage: str
    opening: str = ""
    exchanges: list[Exchange] = []
    slots: dict[str, str] = {}
    """What is known of the caller, by the names of the playbook's variables."""
    turns_in_stage: int = 0
    objections: dict[str, int] = {}
    """How often each was answered."""
    promises: list[Promise] = []
    language: str = ""
    """What is spoken, BCP 47; empty is the playbook's own locale."""
    known: list[str] = []
    """What earlier calls have taught of the caller, in words."""
    outcome: str = ""
    """What came of the call so far, as the playbook names it."""
    spent_micro_usd: int = 0
    """On models, in this call."""
    transfer_to: str = ""
    """Who takes over on request, E.164, where the call's number names a person of its own."""
    zone: str = ""
    """The IANA time zone that times are told in; empty is UTC."""
    proposed: Proposal | None = None
    """What the caller's next words may agree to."""
    turn: int = 0
    """The latest that was answered to its end."""


class CallFacts(msgspec.Struct):
    """What is known when a call begins. Numbers are E.164, or empty when withheld."""

    call_id: str
    direction: Literal["inbound", "outbound"] = "inbound"
    caller: str = ""
    callee: str = ""
    playbook: str = ""
    """Which playbook leads it; empty for the default one."""
    transfer_to: str = ""
    """Who takes over on request, E.164; empty for whom the playbook or the settings name."""
    variables: dict[str, str] = {}
    """What is known of the other side, by the names of the playbook's variables."""
    language: str = ""
    """What is to be spoken, BCP 47; empty is the playbook's own locale."""
    zone: str = ""
    """The IANA time zone where the other side is, as far as it is known."""


class Voice(msgspec.Struct, frozen=True):
    """How the agent sounds."""

    voice_id: str = ""
    tone: str = ""
    locale: str = "en-US"
    pronunciation: tuple[tuple[str, str], ...] = ()
    """Words or phrases, and what is said in their place."""


class FixedLines(msgspec.Struct, frozen=True):
    """Lines that telephony speaks without asking the agent, so that a failing provider never means silence."""

    opening: str
    intro_timeout: str
    """Said when the caller does not answer the opening; the call then ends."""
    silence_prompts: list[str]
    """Said one after the other when the caller falls silent; after the last one the call ends with an SMS."""
    repair: str
    """Said when the caller's words were not understood."""
    trouble: str
    """Said when thinking failed; the call goes on."""
    farewell: str
    """Said when thinking failed again, or the call has reached its longest."""
    ends_early: str
    """Said when the call has to end although the caller has done nothing to end it: there is no more credit."""
    resumed: str
    """Said when the line was lost and is back."""
    silence_sms: str
    """Sent when the caller fell silent for good; empty sends none."""
    unreached: str = ""
    """Said when the person to whom the caller was to be connected did not answer; empty says `resumed`."""
    voicemail: str = ""
    """Left on an answering machine that takes a call of ours; empty leaves nothing."""
    introduction: str = ""
    """Said to a machine that asks who is calling and why; empty says the opening."""
    closed: str = ""
    """Said to who calls outside the hours of a number that has no line of its own for that."""


class CallPlan(msgspec.Struct):
    """Everything telephony needs to lead a call between the agent's answers."""

    conversation: Conversation
    lines: FixedLines
    voice: Voice
    phrases: list[str]
    """What callers are likely to say, for the recogniser; names and products first."""
    language: str = "en"
    """Empty lets the recogniser find out what the caller speaks."""
    prompt: str = ""
    """A text that primes the recogniser for names, spelling and style."""
    first_words_ms: int = 0
    """So long after the opening was heard the caller must have spoken; 0 leaves it to telephony."""


class ToolRun(msgspec.Struct, frozen=True):
    """One use of a tool in a turn."""

    id: str
    """The same for the same use, however often it is asked for."""
    name: str
    ok: bool
    ms: int


class Held(msgspec.Struct, tag="held"):
    """Ends a speculative reply: the rest needs something done that is not done before the turn is sure.

    Given back with the same request when it is, the rest follows without a word of this being said or thought again.
    """

    said: list[str] = []
    """The clauses so far."""
    thought: list[Message] = []
    """What the model wrote, and what tools told it; the last one asks for tools that have not run."""
    tools: list[ToolRun] = []
    """Those that have: they only read."""
    usage: Usage = msgspec.field(default_factory=lambda: Usage(0, 0, 0))


class Reply(msgspec.Struct):
    """The caller's turn is over; asks what the agent says and does."""

    call_id: str
    turn: int
    utterance: str
    conversation: Conversation
    confidence: float = 1.0
    digits: str = ""
    language: str = ""
    """What the caller was heard to speak, where the recogniser found it out; BCP 47 or ISO 639."""
    speculative: bool = False
    """The turn may not be over yet: nothing with effects outside the conversation is done. Acts are told all the same;
    telephony carries them out when the turn is sure."""
    held: Held | None = None
    """How far a speculative reply to the same words had come."""
    caller: str = ""
    """The other side's number, E.164, for tools that look people up; empty when withheld."""


class Clause(msgspec.Struct, tag="clause"):
    """The next words to be spoken, cut where a speaker would breathe."""

    text: str
    tokens: int = 0
    """Used by the reply so far, by estimate: what is known of them if it is broken off here."""


class HangUp(msgspec.Struct, tag="hang_up"):
    """End the call when all that was said has been heard."""

    reason: str = "agent-goodbye"


class TransferTo(msgspec.Struct, tag="transfer"):
    """Connect the caller to a person when all that was said has been heard. `to` is E.164.

    The person hears `whisper`, who is calling and why, before the two are connected, and takes the call by a key;
    empty connects them at once.
    """

    to: str
    whisper: str = ""


class SendSms(msgspec.Struct, tag="send_sms"):
    """Send the caller a text message."""

    text: str


class ScheduleCallback(msgspec.Struct, tag="schedule_callback"):
    """Call the other side again at this time."""

    at: datetime
    """Aware."""
    reason: str = ""
    variables: dict[str, str] = {}
    """What is known of them by then, for that call."""


class PressKeys(msgspec.Struct, tag="press_keys"):
    """Sound these keys of a phone when all that was said has been heard, for the machine on the other side.

    `keys` are 0 to 9, ``*``, ``#`` and A to D; ``w`` is a pause of half a second, ``W`` one of a second.
    """

    keys: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#wW]{1,64}$")]


DO_NOT_CALL = "do_not_call"
"""The outcome of a call with somebody who wants none: their number is put on the do-not-call list."""


class SetOutcome(msgspec.Struct, tag="set_outcome"):
    """What came of the call, as the playbook names it; one name, `DO_NOT_CALL`, has a consequence."""

    outcome: str


class TurnNotes(msgspec.Struct, omit_defaults=True, frozen=True):
    """What the agent noticed in a turn, for whoever learns from calls."""

    meant: str = ""
    """The id of the intent, objection or FAQ that the caller's words meant; empty when they fit nothing."""
    kind: Literal["", "intent", "objection", "faq"] = ""
    unanswered: bool = False
    """The playbook had no answer to it."""
    learned: dict[str, str] = {}
    """Variables that the caller's words have filled or changed."""
    promised: list[Promise] = []
    tools: list[ToolRun] = []
    playbook: str = ""
    """The version that led the turn."""


class ReplyDone(msgspec.Struct, tag="done"):
    """The answer is complete; `conversation` is the changed one, with the exchange as generated."""

    conversation: Conversation
    usage: Usage
    model: str
    cached: bool
    expects_keys: int = 0
    """So many keys of the caller's are a whole answer to what was asked; 0 leaves it to `#` and to time."""
    notes: TurnNotes = msgspec.field(default_factory=TurnNotes)


Act = HangUp | TransferTo | SendSms | ScheduleCallback | PressKeys | SetOutcome
"""What the agent wants done, besides speaking."""

ReplyPart = Clause | Act | Held | ReplyDone


def with_keys(said: str, keys: str) -> str:
    """What one side did in its turn, in words, as transcript and history tell it: keys are ``pressed 1 2``.

    A card's number that is keyed in is told no more than one that is said.
    """
    return without_cards(f"{said} pressed {' '.join(keys)}".strip()) if keys else said


class SpokenLine(msgspec.Struct):
    """A text that a call asks the voice for as it stands; `line` is what the agent calls the line that it is of."""

    line: str
    text: str


class SkippedLine(msgspec.Struct):
    """A line that can only be put together in a call."""

    line: str
    reason: str


class SpokenLines(msgspec.Struct):
    """What may be said word for word in one language, and by which voice."""

    voice: Voice
    lines: list[SpokenLine]
    skipped: list[SkippedLine] = []


class AllSpokenLines(msgspec.Struct):
    """A playbook's lines in each of its languages, its own first."""

    languages: list[SpokenLines]


class Agent(Protocol):
    """Leads conversations by a playbook."""

    @operation("POST /v1/begin", idempotent=True)
    async def begin(self, call: CallFacts) -> CallPlan:
        """How to lead this call. Raises NotFound when there is no such playbook."""
        ...

    @operation("POST /v1/spoken-lines", idempotent=True)
    async def spoken_lines(self, asked: PlaybookRef) -> AllSpokenLines:
        """Everything that may be said word for word, so that it can be spoken before any call asks for it."""
        ...

    @operation("POST /v1/reply", timeout=15)
    def reply(
        self, request: Reply
    ) -> AsyncIterator[
        Clause | HangUp | TransferTo | SendSms | ScheduleCallback | PressKeys | SetOutcome | Held | ReplyDone
    ]:
        """Clauses and acts, as they are thought of; `ReplyDone` is the last, or of a speculative reply, `Held`.

        Raises NotFound for a playbook that is not here, BadInput or TooLarge for what is no turn of a call, and what
        the llm port raises.
        """
        ...
