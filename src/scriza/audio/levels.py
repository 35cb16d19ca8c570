"""How loud something is."""

import math

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
