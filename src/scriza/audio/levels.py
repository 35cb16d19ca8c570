"""How loud something is, and how loud the background."""

import math
from collections import deque

import numpy as np

from scriza.audio.mulaw import Samples

FLOOR_DBFS = -96.0


def dbfs(samples: Samples) -> float:
    """Root mean square in dB relative to full scale: 0 is a full-scale square wave, `FLOOR_DBFS` digital silence."""
    if not len(samples):
        return FLOOR_DBFS
    wide = samples.astype(np.float32)
    mean_square = float(np.dot(wide, wide)) / len(wide)
    if mean_square <= 0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 10 * math.log10(mean_square / 32768.0**2))


class NoiseFloor:
    """The level of the background, by minimum statistics: the quietest window of the last two seconds or so.

    Speech always has gaps that short, so it does not lift the floor; a background that rises does, two seconds later.
    """

    _BLOCKS = 4
    _BLOCK_MS = 500
    _START_DBFS = -50.0

    def __init__(self, window_ms: int, *, lowest_dbfs: float = -64.0) -> None:
        self._windows_per_block = self._BLOCK_MS // window_ms
        self._lowest_dbfs = lowest_dbfs
        self._blocks = deque([self._START_DBFS] * self._BLOCKS, maxlen=self._BLOCKS)
        self._quietest = 0.0
        self._windows = 0

    def follow(self, level_dbfs: float) -> float:
        """The floor in dBFS after one more window; never below `lowest_dbfs`: a phone line tells nothing there."""
        self._quietest = min(self._quietest, level_dbfs)
        self._windows += 1
        floor = min(self._quietest, *self._blocks)
        if self._windows == self._windows_per_block:
            self._blocks.append(self._quietest)
            self._quietest, self._windows = 0.0, 0
        return max(self._lowest_dbfs, floor)
