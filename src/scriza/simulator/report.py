"""What happened in a call, and what came of it. All times are in ms since the call was placed."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from scriza.audio.mulaw import SAMPLE_RATE
from scriza.simulator.clips import Clip, UtteranceKind
from scriza.simulator.ears import Stretch
from scriza.simulator.scenario import EndedBy, Expect

Kind = Literal[
    "status",
    "callback",
    "webhook",
    "twiml",
    "stream",
    "mark",
    "clear",
    "caller",
    "agent",
    "digit",
    "leg",
    "message",
    "rest",
    "violation",
    "note",
]
SAMPLES_PER_MS = SAMPLE_RATE // 1000


class Happening(msgspec.Struct, frozen=True):
    """One line of the timeline."""

    at_ms: int
    kind: Kind
    text: str


class Violation(msgspec.Struct, frozen=True):
    """Something that Twilio would not accept, with the number of its error."""

    at_ms: int
    code: int
    reason: str


class Span(msgspec.Struct, frozen=True):
    """From the first to the last audible sample."""

    start_ms: int
    end_ms: int


class Utterance(msgspec.Struct, frozen=True):
    """What the caller uttered and how the agent took it, measured at the phone.

    `response_ms` is from the caller's last voiced sample to the agent's first audible one after it; none when the
    agent did not begin to speak before the caller did again, or went on with what it was saying. `barge_in_ms` is from
    the caller's first voiced sample to the agent's last audible one, when the agent gave way; `paused_ms` how long it
    was silent before it went on, when it did not. To have given way it must have fallen silent within 500 ms of the
    utterance's end, and have sent a clear or stayed silent for 1.5 s.
    """

    kind: UtteranceKind
    text: str
    start_ms: int
    end_ms: int
    over_agent: bool
    """The agent was speaking when it began."""
    response_ms: int | None
    barge_in_ms: int | None
    paused_ms: int | None


class Gap(msgspec.Struct, frozen=True):
    """The playout buffer ran dry inside the agent's speech."""

    at_ms: int
    length_ms: float


class Message(msgspec.Struct, frozen=True):
    """A text message that was handed in for sending."""

    sid: str
    sender: str
    to: str
    text: str
    created_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


class CallOutcome(msgspec.Struct):
    """A finished call. `wav` is stereo at 8 kHz from the moment the call was placed: caller left, agent right."""

    call_sid: str
    scenario: str
    status: str
    ended_by: EndedBy
    answered_at_ms: int | None
    ended_at_ms: int
    streams: int
    happenings: list[Happening]
    violations: list[Violation]
    utterances: list[Utterance]
    agent: list[Span]
    """The agent's speech, parted by 300 ms of silence or more."""
    gaps: list[Gap]
    messages: list[Message]
    unmet: list[str]
    """The scenario's expectations that were not met, in words."""
    clock_lag_ms: float
    """How late the simulator's own clock was at worst while media flowed; a gap no longer than this may be its own."""
    wav: bytes
    keys: str = ""
    """Keys that the agent pressed, where the scenario listens for them."""

    @property
    def ok(self) -> bool:
        """No violation, and everything as the scenario expects it."""
        return not self.violations and not self.unmet


class Timeline:
    """Collects what happens, at the time that `now_ms` tells."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._tell: Callable[[Happening], None] | None = None
        self.happenings: list[Happening] = []
        self.violations: list[Violation] = []

    def listen(self, tell: Callable[[Happening], None] | None) -> None:
        """From now on `tell` hears of each thing at once."""
        self._tell = tell

    def note(self, kind: Kind, text: str, at_ms: int | None = None) -> None:
        """Something happened, now or at a time that is known better."""
        happening = Happening(self._now_ms() if at_ms is None else at_ms, kind, text)
        self.happenings.append(happening)
        if self._tell is not None:
            self._tell(happening)

    def remark(self, text: str) -> None:
        """Something that is worth a line."""
        self.note("note", text)

    def violation(self, code: int, reason: str) -> None:
        """Twilio would not accept this."""
        self.violations.append(Violation(self._now_ms(), code, reason))
        self.note("violation", f"error {code}: {reason}")


_YIELDED_WITHIN = SAMPLE_RATE // 2
_GOES_ON_WITHIN = SAMPLE_RATE * 3 // 2


def measure(uttered: Sequence[tuple[Clip, int]], agent: Sequence[Stretch], clears: Sequence[int]) -> list[Utterance]:
    """The caller's utterances (clip and the sample it began at) beside the agent's stretches of speech and clears."""
    spans = [Stretch(at + clip.voiced.start, at + clip.voiced.end) for clip, at in uttered]
    utterances = []
    for index, ((clip, _), said) in enumerate(zip(uttered, spans, strict=True)):
        interrupted = next((stretch for stretch in agent if stretch.start <= said.start < stretch.end), None)
        later = [stretch for stretch in agent if interrupted is None or stretch.start > interrupted.start]
        barge_in = paused = None
        if interrupted is not None and interrupted.end <= said.end + _YIELDED_WITHIN:
            silence = next((stretch.start - interrupted.end for stretch in later), None)
            if (
                silence is None
                or silence >= _GOES_ON_WITHIN
                or any(said.start <= at < interrupted.end + silence for at in clears)
            ):
                barge_in = interrupted.end - said.start
            else:
                paused = silence
                later = later[1:]
        answer = next((stretch.start for stretch in later if stretch.start > said.end), None)
        went_on = interrupted is not None and barge_in is None and clip.kind in ("cough", "mm_hm")
        too_late = answer is not None and index + 1 < len(spans) and answer >= spans[index + 1].start
        if went_on or too_late:
            answer = None
        utterances.append(
            Utterance(
                kind=clip.kind,
                text=clip.text,
                start_ms=said.start // SAMPLES_PER_MS,
                end_ms=said.end // SAMPLES_PER_MS,
                over_agent=interrupted is not None,
                response_ms=None if answer is None else (answer - said.end) // SAMPLES_PER_MS,
                barge_in_ms=None if barge_in is None else barge_in // SAMPLES_PER_MS,
                paused_ms=None if paused is None else paused // SAMPLES_PER_MS,
            )
        )
    return utterances


def unmet(expect: Expect, outcome: CallOutcome) -> list[str]:
    """What the outcome lacks of what is expected, in words."""
    barge_ins = [utterance.barge_in_ms for utterance in outcome.utterances if utterance.barge_in_ms is not None]
    responses = [utterance.response_ms for utterance in outcome.utterances if utterance.response_ms is not None]
    exact = [
        ("ended by", expect.ended_by, outcome.ended_by),
        ("status", expect.status, outcome.status),
        ("text messages", expect.messages, len(outcome.messages)),
        ("media streams", expect.streams, outcome.streams),
        ("keys", expect.keys, outcome.keys),
        ("interruptions that the agent gave way to", expect.barge_ins, len(barge_ins)),
    ]
    missing = [f"{name}: {is_} instead of {want}" for name, want, is_ in exact if want is not None and is_ != want]
    if expect.min_agent_stretches is not None and len(outcome.agent) < expect.min_agent_stretches:
        missing.append(f"the agent spoke {len(outcome.agent)} times, not {expect.min_agent_stretches}")
    for name, limit, times in (
        ("response", expect.max_response_ms, responses),
        ("barge-in", expect.max_barge_in_ms, barge_ins),
    ):
        if limit is not None and max(times, default=0) > limit:
            missing.append(f"{name} took {max(times)} ms, more than {limit}")
    return missing
