"""What a call wants done. The session does it and tells the outcome as events."""

from enum import StrEnum
from typing import Literal

import msgspec

from scriza.ports.agent import Conversation, Reply, ScheduleCallback
from scriza.ports.telephony import AudioSynthesized, CallUpdated, ReplyGenerated, UtteranceTranscribed


class Timer(StrEnum):
    """What a call waits for. Setting one again moves it."""

    OPENING = "opening"
    """Our own opening must be on the wire by then."""
    SILENCE = "silence"
    """The caller must have said something by then."""
    END_OF_TURN = "end-of-turn"
    """Silence until then means that the caller's turn is over."""
    WORDS = "words"
    """The recogniser must have answered by then."""
    BARGE_IN = "barge-in"
    """By then it is decided whether the caller interrupts."""
    DIGITS = "digits"
    """No further key until then ends the input."""
    PLAYOUT = "playout"
    """All that was sent must have been played by then, whatever the marks say."""
    CALLEE = "callee"
    """Whoever took a call of ours must have said something by then, or be done with it."""
    LONGEST = "longest"
    """The call ends then."""


class Begin(msgspec.Struct, frozen=True):
    """Ask the agent how to lead the call."""


class Prefetch(msgspec.Struct, frozen=True):
    """Have these lines spoken into the cache, so that they are there when a provider is not."""

    lines: tuple[str, ...]


class Transcribe(msgspec.Struct, frozen=True):
    """Ask the recogniser for the final of the whole turn so far, the parts before earlier pauses included."""


class NewTurn(msgspec.Struct, frozen=True):
    """What was heard is dealt with: the next speech begins a turn of its own."""


class Think(msgspec.Struct, frozen=True):
    """Ask the agent for an answer."""

    thought: int
    reply: Reply


class CancelThinking(msgspec.Struct, frozen=True):
    """The answer is not wanted any more."""

    thought: int


class Synthesise(msgspec.Struct, frozen=True):
    """Turn words into a clip, not yet to be heard."""

    clip: int
    text: str
    previous_text: str = ""
    """The clause before it in the same answer, for the tone of voice."""


class Dial(msgspec.Struct, frozen=True):
    """Make a clip of the tones of keys, with pauses; see `PressKeys`."""

    clip: int
    keys: str


class Play(msgspec.Struct, frozen=True):
    """Send the clip behind all others, as soon as there is audio of it."""

    clip: int


class Forget(msgspec.Struct, frozen=True):
    """The clip will not be played."""

    clip: int


class Hold(msgspec.Struct, frozen=True):
    """Stop sending, keep everything."""


class GoOn(msgspec.Struct, frozen=True):
    """Send again, from where it stopped."""


class Clear(msgspec.Struct, frozen=True):
    """Throw away what was not sent, and have the carrier throw away what it has not played."""


class SetTimer(msgspec.Struct, frozen=True):
    """Have `TimerFired` told at `at` (ms, the machine's time)."""

    timer: Timer
    at: int


class CancelTimer(msgspec.Struct, frozen=True):
    """Never mind."""

    timer: Timer


class Journal(msgspec.Struct, frozen=True):
    """Append to the call's journal; see `call_log.Entry`."""

    turn: int
    kind: Literal["user", "reply", "heard"]
    text: str
    stage: str
    confidence: float = 1.0
    tokens: int = 0
    conversation: Conversation | None = None
    told: ReplyGenerated | None = None


class Publish(msgspec.Struct, frozen=True):
    """Tell the other modules, in one transaction with the journal lines of the same step."""

    data: UtteranceTranscribed | ReplyGenerated | AudioSynthesized | CallUpdated


class SendText(msgspec.Struct, frozen=True):
    """Send the caller a text message, once."""

    text: str


class CallBack(msgspec.Struct, frozen=True):
    """Call the other side again, once."""

    wanted: ScheduleCallback


class Bar(msgspec.Struct, frozen=True):
    """Put the number of the other side on the do-not-call list."""


NO_CREDIT = "no-credit"
"""The reason of calls that end for want of it."""


class End(msgspec.Struct, frozen=True):
    """The call is over: journal it and close the stream; the carrier then hangs up."""

    reason: str
    outcome: str = ""


class HandOver(msgspec.Struct, frozen=True):
    """Journal that the caller is to be connected to a person, and close the stream; the carrier then calls them."""

    to: str
    whisper: str = ""
    outcome: str = ""


class Detach(msgspec.Struct, frozen=True):
    """The stream is gone but the call may go on elsewhere: let go of it without ending it."""


Command = (
    Begin
    | Prefetch
    | Transcribe
    | NewTurn
    | Think
    | CancelThinking
    | Synthesise
    | Dial
    | Play
    | Forget
    | Hold
    | GoOn
    | Clear
    | SetTimer
    | CancelTimer
    | Journal
    | Publish
    | SendText
    | CallBack
    | Bar
    | End
    | HandOver
    | Detach
)
