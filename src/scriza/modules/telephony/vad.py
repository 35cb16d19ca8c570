"""Voice activity: when the caller starts and stops to speak.

A `Vad`, one per call, says of each short window how likely it holds speech; the `SpeechGate` turns that into onsets
and offsets. Both work in audio time, ms since the stream's first frame, and neither keeps audio.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from scriza.audio.levels import FLOOR_DBFS, NoiseFloor, dbfs
from scriza.audio.mulaw import BYTES_PER_MS, decode


class Vad(Protocol):
    """Listens to one call."""

    @property
    def window_ms(self) -> int:
        """How long the windows are that it judges."""
        ...

    def push(self, audio: bytes) -> Sequence[tuple[float, float]]:
        """Mu-law audio of any length; for each window that is complete with it, speech probability and level in dBFS.

        Takes well under a millisecond for a 20 ms frame, as it runs in the event loop.
        """
        ...


VadFactory = Callable[[], Vad]
"""Makes the `Vad` of a new call, in no time: models are loaded before."""


class EnergyVad:
    """Hears anything clearly louder than the background: for machines that cannot run a speech model.

    Music, clicks and other people pass for speech.
    """

    window_ms = 32
    _BYTES = window_ms * BYTES_PER_MS
    _CERTAIN_DB = 24.0
    """So far above the background the probability is 1; it is 0.5 half way there."""
    _FAINTEST_DBFS = -55.0

    def __init__(self) -> None:
        self._pending = b""
        self._floor = NoiseFloor(self.window_ms)

    def push(self, audio: bytes) -> list[tuple[float, float]]:
        """See `Vad`."""
        pending = self._pending + audio
        whole = len(pending) - len(pending) % self._BYTES
        self._pending = pending[whole:]
        return [self._judge(pending[start : start + self._BYTES]) for start in range(0, whole, self._BYTES)]

    def _judge(self, window: bytes) -> tuple[float, float]:
        level = dbfs(decode(window))
        above = level - self._floor.follow(level)
        probability = 0.0 if level < self._FAINTEST_DBFS else min(1.0, max(0.0, above / self._CERTAIN_DB))
        return probability, level


class Onset(msgspec.Struct, frozen=True):
    """Speech seems to begin: one window is enough, so it may be a cough. `at_ms` is where that window begins."""

    at_ms: int
    level_dbfs: float


class Ongoing(msgspec.Struct, frozen=True):
    """Speech has been going on for `speech_ms`; `level_dbfs` is the level of its voiced part so far."""

    speech_ms: int
    level_dbfs: float


class Offset(msgspec.Struct, frozen=True):
    """Speech ended at `at_ms`, after `speech_ms` of it, and it has been quiet for `silence_ms` since."""

    at_ms: int
    speech_ms: int
    silence_ms: int
    level_dbfs: float


class GateOptions(msgspec.Struct, frozen=True):
    """Thresholds of the probability, and times in ms."""

    on: float = 0.5
    """A window of at least this begins speech."""
    off: float = 0.35
    """A window below this is silence; one between the two goes on with what was before."""
    min_silence_ms: int = 192
    """Silence as long as this ends speech; shorter, it is a gap within."""
    report_ms: int = 96
    """How often `Ongoing` is told."""


class SpeechGate:
    """Hysteresis over a Vad's windows: the thresholds of Silero's own `VADIterator`, onset without delay."""

    def __init__(self, window_ms: int, options: GateOptions = GateOptions()) -> None:  # noqa: B008  # it is frozen
        self._window_ms = window_ms
        self._options = options
        self._now_ms = 0
        self._began_ms = -1
        self._voiced_until_ms = 0
        self._silence_ms = 0
        self._power = 0.0
        self._windows = 0
        self._reported_ms = 0

    @property
    def speaking(self) -> bool:
        """Whether speech has begun and not ended."""
        return self._began_ms >= 0

    def push(self, probability: float, level_dbfs: float) -> Onset | Ongoing | Offset | None:
        """What one more window changes."""
        starts_ms = self._now_ms
        self._now_ms += self._window_ms
        if not self.speaking:
            return self._begin(starts_ms, level_dbfs) if probability >= self._options.on else None
        if probability < (self._options.on if self._silence_ms else self._options.off):
            return self._quiet()
        return self._voiced(level_dbfs)

    def _begin(self, at_ms: int, level_dbfs: float) -> Onset:
        self._began_ms = self._reported_ms = at_ms
        self._power, self._windows = 0.0, 0
        self._voiced(level_dbfs)
        return Onset(at_ms, level_dbfs)

    def _voiced(self, level_dbfs: float) -> Ongoing | None:
        self._silence_ms = 0
        self._voiced_until_ms = self._now_ms
        self._power += 10 ** (level_dbfs / 10)
        self._windows += 1
        if self._now_ms - self._reported_ms < self._options.report_ms:
            return None
        self._reported_ms = self._now_ms
        return Ongoing(self._now_ms - self._began_ms, self._level_dbfs())

    def _quiet(self) -> Offset | None:
        self._silence_ms += self._window_ms
        if self._silence_ms < self._options.min_silence_ms:
            return None
        speech_ms = self._voiced_until_ms - self._began_ms
        told = Offset(self._voiced_until_ms, speech_ms, self._silence_ms, self._level_dbfs())
        self._began_ms, self._silence_ms = -1, 0
        return told

    def _level_dbfs(self) -> float:
        return max(FLOOR_DBFS, 10 * math.log10(self._power / self._windows))
