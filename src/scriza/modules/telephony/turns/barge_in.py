"""Is the caller interrupting? Decided by words, by how long and by how loud; a cough or "mm-hm" is not an interruption.

The agent is silent while this is decided (the sender holds), so waiting costs little: a real interruption is heard as
one at once, and after a false one the agent goes on where it stopped.
"""

import re
from enum import Enum

import msgspec

_BACKCHANNELS = frozenset(
    "mm mmm mhm mhmm hm hmm uh huh um ah oh aha yeah yep yes okay ok right sure alright cool great good nice really "
    "i see got it go on hello hi".split()
)
_ANSWERS = frozenset("yes yeah yep no nope okay ok sure right alright".split())
BACKCHANNELS = ("mm hm", "uh huh", "okay", "yeah", "right", "i see", "yes", "sure")
"""The usual ones, for a recogniser that has to know beforehand what may be said."""
_WORD = re.compile(r"[\w']+")


class Verdict(Enum):
    """What the sender does next."""

    WAIT = "wait"
    INTERRUPT = "interrupt"
    GO_ON = "go on"


class Evidence(msgspec.Struct, frozen=True):
    """What is known of the speech that came while the agent had the floor."""

    text: str
    """Its words so far."""
    final: bool
    """Whether `text` is all there is to it."""
    speech_ms: int
    level_dbfs: float
    usual_level_dbfs: float | None
    """How loud this caller's turns are; none before the first."""
    asked: bool
    """Whether the last thing the caller heard was a question."""
    overdue: bool
    """Whether the time to decide is up."""


class BargeInOptions(msgspec.Struct, frozen=True):
    """When speech without words counts as an interruption."""

    speech_ms: int = 800
    """Speech as long as this, and loud enough, interrupts even before a word is understood."""
    overdue_ms: int = 900
    """From the hold until it must be decided."""
    quieter_db: float = 15.0
    """Speech that much below the caller's usual level is somebody else's, or our own echo."""


def decide(evidence: Evidence, options: BargeInOptions) -> Verdict:
    """The verdict on the evidence so far."""
    words = _WORD.findall(evidence.text.lower())
    loud = evidence.usual_level_dbfs is None or evidence.level_dbfs >= evidence.usual_level_dbfs - options.quieter_db
    if words and not is_backchannel(words, evidence.asked):
        return Verdict.INTERRUPT if loud else Verdict.GO_ON
    if evidence.final:
        return Verdict.GO_ON
    if not words and loud and evidence.speech_ms >= options.speech_ms:
        return Verdict.INTERRUPT
    return Verdict.GO_ON if evidence.overdue else Verdict.WAIT


def is_backchannel(words: list[str], asked: bool) -> bool:
    """Whether the words only say "I am listening"; "yes" after a question is an answer."""
    if asked and any(word in _ANSWERS for word in words):
        return False
    return len(words) <= 3 and all(word in _BACKCHANNELS for word in words)
