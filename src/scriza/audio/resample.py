"""Changing the sample rate, whole recordings and live streams."""

import numpy as np
import soxr

from scriza.audio.mulaw import Samples


def resample(samples: Samples, rate_in: int, rate_out: int) -> Samples:
    """A whole recording at another rate (Hz), by soxr at its high quality."""
    if rate_in == rate_out or not len(samples):
        return samples
    return np.asarray(soxr.resample(samples, rate_in, rate_out), dtype=np.int16)


class Resampler:
    """A stream at another rate (Hz), piece by piece.

    High quality holds back up to 90 ms until `flush`; ``fast=True`` (soxr's QQ) holds back 0.2 ms, for live input
    that is only looked at, not listened to.
    """

    def __init__(self, rate_in: int, rate_out: int, *, fast: bool = False) -> None:
        self._stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="int16", quality="QQ" if fast else "HQ")

    def push(self, samples: Samples) -> Samples:
        """What can be told by now."""
        return np.asarray(self._stream.resample_chunk(samples), dtype=np.int16)

    def flush(self) -> Samples:
        """The rest; the stream is over."""
        return np.asarray(self._stream.resample_chunk(np.zeros(0, np.int16), last=True), dtype=np.int16)
