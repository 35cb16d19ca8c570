"""The tones of a phone's keys, in mu-law at 8 kHz (ITU-T Q.23 and Q.24).

A key is two sines at once, one of its row and one of its column. A receiver takes 40 ms of it for a key and 40 ms of
silence for its end; 100 ms of each are on the safe side on any line.
"""

import math

import numpy as np

from scriza.audio.mulaw import SAMPLE_RATE, encode, silence

ROWS = (697, 770, 852, 941)
COLUMNS = (1209, 1336, 1477, 1633)
"""In Hz."""
KEYS = ("123A", "456B", "789C", "*0#D")
PAUSES = {"w": 500, "W": 1000}
"""In milliseconds: what is no key, but a wait for the other side."""

_ON_MS, _OFF_MS = 100, 100
_PAIR_DBM0 = -9.0
_FULL_SCALE_DBM0 = 3.17
"""What the loudest sine that mu-law can tell is (ITU-T G.711)."""
_PEAK = 32767 * 10 ** ((_PAIR_DBM0 - 10 * math.log10(2) - _FULL_SCALE_DBM0) / 20)
"""Of each of the two sines: together they have the power of the pair."""
_FREQUENCIES = {
    key: (row, column) for row, keys in zip(ROWS, KEYS, strict=True) for key, column in zip(keys, COLUMNS, strict=True)
}


def dial_tones(keys: str) -> bytes:
    """The sound of `keys`: 0 to 9, ``*``, ``#``, A to D, and the pauses ``w`` and ``W``. Raises KeyError for others."""
    return b"".join(silence(PAUSES[key]) if key in PAUSES else _tone(key) + silence(_OFF_MS) for key in keys)


def _tone(key: str) -> bytes:
    time = np.arange(_ON_MS * SAMPLE_RATE // 1000) / SAMPLE_RATE
    sines = sum(np.sin(2 * np.pi * frequency * time) for frequency in _FREQUENCIES[key])
    return encode((_PEAK * np.asarray(sines)).astype(np.int16))
