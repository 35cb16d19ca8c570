"""Hearing whether somebody speaks, from the energy of what the phone plays."""

from typing import NamedTuple

import numpy as np

from scriza.audio.mulaw import SAMPLE_RATE, SILENCE, Samples, decode

AUDIBLE_DBFS = -50.0
"""Below this a frame counts as silence; speech on a phone line is 20 to 30 dB above it."""
_AUDIBLE = 32768 * 10 ** (AUDIBLE_DBFS / 20)
_PAUSE = SAMPLE_RATE * 3 // 10
"""Silence that parts two stretches of speech: words and clauses lie closer together."""
_BREAK = SAMPLE_RATE // 2
"""Silence that parts two runs of stretches: sentences lie closer together."""
_AMPLITUDES = np.abs(decode(bytes(range(256))).astype(np.float32))
_POWERS = _AMPLITUDES**2
_QUIET = frozenset({SILENCE[0], SILENCE[0] & 0x7F})


class Stretch(NamedTuple):
    """Speech from the first to behind the last audible sample, in samples since the call began."""

    start: int
    end: int


def voiced_part(samples: Samples) -> Stretch:
    """Where the audible part of a clip lies, in samples since its start; empty at 0 when nothing is audible."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= _AUDIBLE)
    return Stretch(int(loud[0]), int(loud[-1]) + 1) if len(loud) else Stretch(0, 0)


class Ears:
    """Follows one voice, frame by frame. `speaking` lasts until 300 ms of silence have been heard."""

    def __init__(self) -> None:
        self.speaking = False
        self.since = 0
        """Where the current or last stretch began."""
        self.run_since = 0
        """Where the run of stretches began that the current or last one belongs to."""
        self.until = 0
        """Behind the last audible sample so far."""
        self.stretches: list[Stretch] = []
        """The finished ones."""

    def hear(self, frame: bytes, at: int) -> bool:
        """The mu-law frame that was played from sample `at`; True when `speaking` changes."""
        if _QUIET.issuperset(frame):
            return self._silence(at + len(frame))
        codes = np.frombuffer(frame, np.uint8)
        if float(_POWERS[codes].sum()) < _AUDIBLE**2 * len(frame):
            return self._silence(at + len(frame))
        loud = np.flatnonzero(_AMPLITUDES[codes] >= _AUDIBLE)
        before, self.until = self.until, at + int(loud[-1]) + 1
        if self.speaking:
            return False
        self.speaking, self.since = True, at + int(loud[0])
        if not self.stretches or self.since - before >= _BREAK:
            self.run_since = self.since
        return True

    def _silence(self, until: int) -> bool:
        if not self.speaking or until - self.until < _PAUSE:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """The call is over: a stretch that still lasts is finished."""
        if self.speaking:
            self.speaking = False
            self.stretches.append(Stretch(self.since, self.until))
