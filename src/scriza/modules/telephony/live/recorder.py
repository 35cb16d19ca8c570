"""Writes down what is heard and what is said on one media stream: the caller's leg and the agent's, side by side.

The caller's audio stands where it arrived, the agent's where the phone plays it: behind what was sent before, and what
was sent but cleared is not in it. Positions are samples since the stream's start, 8 to a millisecond. Nothing here
waits: a segment that is full is handed over, and somebody else stores it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from scriza.audio.mulaw import BYTES_PER_MS, SAMPLE_RATE, SILENCE
from scriza.kernel.clock import WallClock

_JOINED = BYTES_PER_MS
"""Audio that begins so near the end of what was there follows it without a gap."""
_DRIFT = 40 * BYTES_PER_MS
"""From here on the caller's leg is set right against the clock."""


class Segment(msgspec.Struct, frozen=True):
    """A stretch of one stream: both legs in mu-law, equally long."""

    began_at: datetime
    """When its first sample sounded."""
    last: bool
    """The stream ended with it."""
    caller: bytes
    agent: bytes


class Recorder(Protocol):
    """What a session tells of its stream's sound. Times are the event loop's, in seconds."""

    def heard(self, audio: bytes, skipped_ms: int) -> None:
        """Audio of the caller has come; `skipped_ms` is what the stream has lost so far without filling it."""
        ...

    def played(self, audio: bytes, at: float) -> None:
        """Audio of the agent was sent, which the phone begins to play `at` this time."""
        ...

    def cleared(self, at: float) -> None:
        """The phone throws away what it has not played by then."""
        ...

    def stop(self) -> None:
        """The stream is over. What else is told of it is ignored."""
        ...

    def call_ended(self) -> None:
        """So is the call, and its end is kept."""
        ...


class NoRecorder:
    """Keeps nothing."""

    def heard(self, audio: bytes, skipped_ms: int) -> None:
        """See Recorder."""

    def played(self, audio: bytes, at: float) -> None:
        """See Recorder."""

    def cleared(self, at: float) -> None:
        """See Recorder."""

    def stop(self) -> None:
        """See Recorder."""

    def call_ended(self) -> None:
        """See Recorder."""


NO_RECORDER = NoRecorder()


class RecorderOptions(msgspec.Struct, frozen=True):
    """In milliseconds."""

    segment: int = 10_000
    """How long a segment is. What a process that is killed has not handed over is lost."""
    grace: int = 3_000
    """How much later it is handed over: audio that was delayed on its way still finds its place."""


class TwoLegs:
    """Implements Recorder; `keep` takes the segments, in order, `ended` hears of the call's end.

    The stream begins when this is made: by the wall `clock` for the segments, by `time` for everything else.
    """

    def __init__(
        self,
        keep: Callable[[Segment], None],
        ended: Callable[[], None],
        *,
        clock: WallClock,
        time: Callable[[], float],
        options: RecorderOptions = RecorderOptions(),  # noqa: B008 - frozen
    ) -> None:
        self._keep, self._ended, self._time = keep, ended, time
        self._began_at, self._origin = clock(), time()
        self._segment = options.segment * BYTES_PER_MS
        self._due = (options.segment + options.grace) * BYTES_PER_MS
        self._base = 0
        """Where the segment under way begins."""
        self._caller, self._agent = bytearray(), bytearray()
        self._caller_at = -1
        """Where the caller's next audio belongs; before the first one nowhere."""
        self._least_lag: int | None = None
        """How far the clock was before the leg's end at the frame of the segment that came soonest."""
        self._skipped_ms = 0
        self._stopped = False

    def heard(self, audio: bytes, skipped_ms: int) -> None:
        """See Recorder."""
        if self._stopped:
            return
        now, size = self._position(self._time()), len(audio)
        if self._caller_at < 0:
            self._caller_at = max(0, now - size)
        if skipped_ms != self._skipped_ms:
            self._caller_at += (skipped_ms - self._skipped_ms) * BYTES_PER_MS
            self._skipped_ms = skipped_ms
        if self._caller_at == self._base + len(self._caller):
            self._caller += audio
        else:
            self._place(self._caller, self._caller_at, audio)
        self._caller_at += size
        lag = now - self._caller_at
        if self._least_lag is None or lag < self._least_lag:
            self._least_lag = lag
        self._hand_over(now)

    def played(self, audio: bytes, at: float) -> None:
        """See Recorder."""
        if self._stopped:
            return
        start, end = self._position(at), self._base + len(self._agent)
        self._place(self._agent, end if abs(start - end) <= _JOINED else start, audio)
        self._hand_over(start)

    def cleared(self, at: float) -> None:
        """See Recorder."""
        if not self._stopped:
            del self._agent[max(0, self._position(at) - self._base) :]

    def stop(self) -> None:
        """See Recorder."""
        if self._stopped:
            return
        self.cleared(self._time())
        self._set_right()
        while (left := max(len(self._caller), len(self._agent))) > self._segment:
            self._cut(self._segment, last=False)
        self._cut(left, last=True)
        self._stopped = True

    def call_ended(self) -> None:
        """See Recorder."""
        self._ended()

    def _position(self, at: float) -> int:
        return round((at - self._origin) * SAMPLE_RATE)

    def _place(self, leg: bytearray, position: int, audio: bytes) -> None:
        start = position - self._base
        if start < 0:  # too late: its segment has been handed over
            audio, start = audio[-start:], 0
        if start > len(leg):
            leg += SILENCE * (start - len(leg))
        leg[start : start + len(audio)] = audio

    def _hand_over(self, now: int) -> None:
        if now - self._base >= self._due:
            self._set_right()
            self._cut(self._segment, last=False)

    def _set_right(self) -> None:
        """Bring both legs to one time: of a segment's frames, that which was least delayed tells the caller's."""
        if not self._base:
            self._find_start(max(0, -(self._least_lag or 0)))
        elif self._least_lag is not None and abs(self._least_lag) >= _DRIFT:
            self._caller_at += self._least_lag
        self._least_lag = None

    def _find_start(self, early: int) -> None:
        """Frames that waited while the call was looked up came faster than they had sounded, `early` by so much.

        So the stream began before this recorder did, and what the agent said is later in it.
        """
        self._agent[:0] = SILENCE * early
        self._origin -= early / SAMPLE_RATE
        self._began_at -= timedelta(seconds=early / SAMPLE_RATE)

    def _cut(self, size: int, *, last: bool) -> None:
        caller, agent = (bytes(leg[:size]).ljust(size, SILENCE) for leg in (self._caller, self._agent))
        del self._caller[:size], self._agent[:size]
        began_at = self._began_at + timedelta(seconds=self._base / SAMPLE_RATE)
        self._base += size
        self._keep(Segment(began_at, last, caller, agent))
