"""What a call keeps between events, besides its four states."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from scriza.modules.telephony.turns.endpointing import Pause
from scriza.ports.agent import Act, Conversation, Held, Reply, ReplyDone, TurnNotes
from scriza.ports.telephony import TurnLatency


class Awaited(Enum):
    """What is waited for before a call that we placed becomes a conversation."""

    FIRST_WORDS = "first words"
    PERSON = "person"
    """A screening service has been told who is calling."""
    BEEP = "beep"
    """A machine has asked for a message."""
    GREETING_END = "greeting's end"
    """A machine talks, and the carrier will tell when it has done so."""


@dataclass
class CallerTurn:
    """The caller's turn, while it is being spoken."""

    text: str = ""
    """What the last final understood of all of it."""
    partial: str = ""
    confidence: float = 1.0
    speech_ms: int = 0
    running_ms: int = 0
    """Length of the stretch of speech that is going on."""
    level_dbfs: float = -96.0
    began_at: int | None = None
    """When a voice was first noticed."""
    ended_at: int = 0
    """When its last voiced frame was."""
    over_at: int = 0
    """When it was taken to be over."""
    words_at: int = 0
    """When its last words came."""
    digits: str = ""

    @property
    def evidence(self) -> str:
        """What seems to have been said by now."""
        return self.partial or self.text

    def pause(self, *, understood: bool, inner_pauses_ms: Sequence[int], cuts: int) -> Pause:
        """This turn as the endpointing policy sees it."""
        return Pause(self.text, understood, self.speech_ms, tuple(inner_pauses_ms), cuts)


@dataclass
class Timing:
    """When the steps of an answer came, in the machine's time; 0 is not yet."""

    ended_at: int
    over_at: int
    words_at: int
    clause_at: int = 0
    audio_at: int = 0

    def latency(self, turn: int, started_at: int) -> TurnLatency:
        """The waterfall: each part is the time that its step added to the ones before it, so that they sum up."""
        reached = [self.ended_at]
        for at in (self.over_at, self.words_at, self.clause_at, self.audio_at, started_at):
            reached.append(max(reached[-1], at))
        endpoint, asr, llm, tts, send = (late - early for early, late in pairwise(reached))
        return TurnLatency(turn, endpoint, asr, llm, tts, send, started_at - self.ended_at)


@dataclass
class Thought:
    """An answer that the agent is being asked for."""

    number: int
    asked: Reply
    """Its utterance has in it what an earlier, unheard answer left open."""
    clips: list[tuple[int, str]] = field(default_factory=list)
    """Clauses as clips, while speculating; none of them is played yet."""
    acts: list[Act] = field(default_factory=list)
    done: ReplyDone | None = None
    held: Held | None = None
    """It stopped before something that is done only when the turn is sure."""
    tokens: int = 0
    """Used so far, as far as they are known before it is done."""


@dataclass
class Answer:
    """What the agent says in one turn, until the caller has heard it."""

    turn: int
    utterance: str
    """What it answers; empty for what is said unasked."""
    stage: str
    stage_before: str = ""
    timing: Timing | None = None
    clauses: list[str] = field(default_factory=list)
    first_clip: int = 0
    began_at: int | None = None
    """When its first frame was on the wire."""
    conversation: Conversation | None = None
    """The agent's own account, when the answer is complete."""
    journalled: bool = False
    tokens: int = 0
    model: str = ""
    cached: bool = False
    """The model's answer came from the cache."""
    notes: TurnNotes = field(default_factory=TurnNotes)
    latency: TurnLatency | None = None
    clips: int = 0
    """Complete ones, and those of them that came from the cache."""
    clips_cached: int = 0
    interrupted: bool = False
    """The caller took the turn from it."""

    @property
    def text(self) -> str:
        """What was generated."""
        return " ".join(self.clauses)
