"""G.711 mu-law by lookup table, bit-exact with ITU-T G.711 (and with the retired ``audioop``).

At the phone line's 8 kHz a byte is one sample and 8 bytes are a millisecond.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SAMPLE_RATE = 8000
BYTES_PER_MS = 8
SILENCE = b"\xff"
"""The code of amplitude zero."""


def _encoding_table() -> NDArray[np.uint8]:
    # G.711 works on 14-bit magnitudes; the table is indexed by the sample's bits read as unsigned.
    samples = np.arange(-32768, 32768, dtype=np.int32) >> 2
    negative = samples < 0
    magnitude = np.minimum(np.where(negative, -samples, samples), 8159) + 0x21
    segment = np.searchsorted([0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF, 0x1FFF], magnitude)
    code = np.where(segment >= 8, 0x7F, (segment << 4) | ((magnitude >> (segment + 1)) & 0xF))
    table = (code ^ np.where(negative, 0x7F, 0xFF)).astype(np.uint8)
    return np.roll(table, 32768)


def _decoding_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return np.where(code & 0x80, 0x84 - magnitude, magnitude - 0x84).astype(np.int16)


_ENCODE = _encoding_table()
_DECODE = _decoding_table()


def decode(encoded: bytes) -> Samples:
    """Samples of mu-law bytes, shape ``(len(encoded),)``."""
    return _DECODE[np.frombuffer(encoded, np.uint8)]


def encode(samples: Samples) -> bytes:
    """Mu-law bytes of int16 samples, one byte each."""
    return _ENCODE[np.ascontiguousarray(samples).view(np.uint16)].tobytes()


def silence(milliseconds: int) -> bytes:
    """That much silence."""
    return SILENCE * (milliseconds * BYTES_PER_MS)
