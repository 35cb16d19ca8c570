"""Where long audio is cut so that no word is: in the quietest moment near the end of what fits."""

import numpy as np

from scriza.audio.mulaw import Samples

LONGEST_S = 28.0
"""Seconds of a piece."""

_LOOK_BACK_S = 4.0
_STEP_S = 0.02
_WINDOW = 5
"""Steps; a pause between words is seldom shorter than 100 ms."""


def cut(samples: Samples, sample_rate: int) -> int:
    """How many samples make the next piece: all of them, or up to the quietest 100 ms of the last seconds that fit."""
    longest = int(LONGEST_S * sample_rate)
    if len(samples) <= longest:
        return len(samples)
    step = int(_STEP_S * sample_rate)
    first = longest - int(_LOOK_BACK_S * sample_rate)
    end = samples[first:longest]
    frames = end[: len(end) // step * step].reshape(-1, step).astype(np.float32)
    power = np.convolve((frames**2).mean(axis=1), np.ones(_WINDOW), mode="valid")
    return int(first + (int(power.argmin()) + _WINDOW / 2) * step)
