"""What can happen in a call. Small, frozen, and JSON: a recorded list of them replays the call exactly."""

import msgspec

from scriza.modules.telephony.call_log import JournaledCall
from scriza.ports.agent import Act, CallPlan, Held, ReplyDone
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import CallStatus
from scriza.ports.tts import SpokenWord


class StreamStarted(msgspec.Struct, frozen=True, tag=True):
    """The media stream is open. `journal` is the call as it stands, with earlier turns when it was re-attached.

    `elapsed_ms` is how long the call has lasted, on its earlier streams too.
    """

    journal: JournaledCall
    elapsed_ms: int = 0


class StreamStopped(msgspec.Struct, frozen=True, tag=True):
    """The carrier said that the stream is over: the caller hung up, or we closed it."""


class StreamLost(msgspec.Struct, frozen=True, tag=True):
    """The socket died without a word; the call may still be up."""


class Planned(msgspec.Struct, frozen=True, tag=True):
    """The agent has said how to lead this call."""

    plan: CallPlan


class PlanFailed(msgspec.Struct, frozen=True, tag=True):
    """The agent could not be asked."""


class SpeechStarted(msgspec.Struct, frozen=True, tag=True):
    """Voice activity began; a candidate, perhaps a cough. `level_dbfs` is its loudness so far."""

    level_dbfs: float


class SpeechGoesOn(msgspec.Struct, frozen=True, tag=True):
    """The caller has been speaking for `speech_ms` without a pause; told every now and then while it lasts."""

    speech_ms: int
    level_dbfs: float


class SpeechEnded(msgspec.Struct, frozen=True, tag=True):
    """Voice activity ended `silence_ms` ago, after `speech_ms` of it."""

    speech_ms: int
    silence_ms: int
    level_dbfs: float


class Words(msgspec.Struct, frozen=True, tag=True):
    """What the recogniser understands of the caller's turn so far. A final answers one `Transcribe`."""

    text: str
    confidence: float
    final: bool


class RecogniserFailed(msgspec.Struct, frozen=True, tag=True):
    """The recogniser is gone; what it still owed will not come. It is being opened again."""


class ClauseThought(msgspec.Struct, frozen=True, tag=True):
    """The next words of an answer, and the tokens that it has used so far."""

    thought: int
    text: str
    tokens: int = 0


class ActThought(msgspec.Struct, frozen=True, tag=True):
    """Something the agent wants done, besides speaking."""

    thought: int
    act: Act


class ThoughtDone(msgspec.Struct, frozen=True, tag=True):
    """The answer is complete."""

    thought: int
    done: ReplyDone


class ThoughtHeld(msgspec.Struct, frozen=True, tag=True):
    """The agent stopped before something that is done only when the turn is sure."""

    thought: int
    held: Held


class ThoughtFailed(msgspec.Struct, frozen=True, tag=True):
    """The agent gave up on this answer; clauses before it stand."""

    thought: int
    no_credit: bool = False
    """There is none for it."""


class ClipReady(msgspec.Struct, frozen=True, tag=True):
    """The clip's first audio is there."""

    clip: int


class ClipTimed(msgspec.Struct, frozen=True, tag=True):
    """When the next words of a clip sound."""

    clip: int
    words: list[SpokenWord]


class ClipStarted(msgspec.Struct, frozen=True, tag=True):
    """The clip's first frame is on the wire."""

    clip: int


class MarkSent(msgspec.Struct, frozen=True, tag=True):
    """A mark was sent behind the clip's first `until_ms` milliseconds; `last` when nothing of the clip follows."""

    mark: str
    clip: int
    until_ms: int
    last: bool


class MarkEchoed(msgspec.Struct, frozen=True, tag=True):
    """The carrier has played everything before this mark, or has thrown it away after our `clear`."""

    mark: str


class ClipComplete(msgspec.Struct, frozen=True, tag=True):
    """The clip has been synthesised to its end."""

    clip: int
    duration_ms: int
    cache_hit: bool


class ClipFailed(msgspec.Struct, frozen=True, tag=True):
    """Nothing more of this clip will come."""

    clip: int


class Digit(msgspec.Struct, frozen=True, tag=True):
    """A key was pressed."""

    digit: str


class TimerFired(msgspec.Struct, frozen=True, tag=True):
    """A timer that was set has run out; the value of a `Timer`."""

    timer: str


class CarrierStatus(msgspec.Struct, frozen=True, tag=True):
    """The carrier's own word for where the call is."""

    status: CallStatus


class AnsweredBy(msgspec.Struct, frozen=True, tag=True):
    """The carrier has found out who took a call that we placed."""

    who: Answerer


class CreditUsedUp(msgspec.Struct, frozen=True, tag=True):
    """What was set aside for the call is used up, and there is no more."""


class StopAsked(msgspec.Struct, frozen=True, tag=True):
    """Somebody wants all calls to end."""


FromTheCaller = SpeechStarted | SpeechGoesOn | SpeechEnded | Words | RecogniserFailed | Digit
"""What the ear, the recogniser and the keys tell."""

Event = (
    FromTheCaller
    | StreamStarted
    | StreamStopped
    | StreamLost
    | Planned
    | PlanFailed
    | ClauseThought
    | ActThought
    | ThoughtDone
    | ThoughtHeld
    | ThoughtFailed
    | ClipReady
    | ClipTimed
    | ClipStarted
    | MarkSent
    | MarkEchoed
    | ClipComplete
    | ClipFailed
    | TimerFired
    | CarrierStatus
    | AnsweredBy
    | CreditUsedUp
    | StopAsked
)
