"""Hearing keys: the machine behind a called number that asks for them knows them by their tones.

A Goertzel filter for each of the eight frequencies of ITU-T Q.23, over 40 ms. A key is taken when one row and one
column stand out together in two windows that follow each other, and hold nearly all of the sound, as in no speech.
"""

import numpy as np

from scriza.audio.mulaw import SAMPLE_RATE, decode

_FREQUENCIES = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
_KEYS = "123A456B789C*0#D"
_WINDOW = SAMPLE_RATE // 25
_WAVES = np.exp(-2j * np.pi * np.outer(_FREQUENCIES, np.arange(_WINDOW)) / SAMPLE_RATE).astype(np.complex64)
_LOUD = 1e5
"""Mean square of 16-bit samples, about -34 dBm0: what is softer is no key."""
_SHARE = 0.85
"""Of all the sound's power that must be in the two tones."""
_TWIST = 10 ** (8 / 10)
"""How much stronger one tone may be than the other."""


class Keypad:
    """Follows one voice, frame by frame."""

    def __init__(self) -> None:
        self.heard = ""
        """All keys so far."""
        self._before = np.zeros(_WINDOW // 2, np.float32)
        self._seen = ""
        self._taken = False

    def hear(self, frame: bytes) -> str:
        """The next 20 ms of mu-law; returns a key once, when it is certain."""
        half = decode(frame).astype(np.float32)
        window, self._before = np.concatenate((self._before, half)), half
        key = _key_in(window)
        certain = key != "" and key == self._seen
        if key == "" or key != self._seen:
            self._taken = False
        self._seen = key
        if not certain or self._taken:
            return ""
        self._taken = True
        self.heard += key
        return key


def _key_in(window: np.ndarray) -> str:
    power = float(np.mean(window**2))
    if len(window) != _WINDOW or power < _LOUD:
        return ""
    # A sine of amplitude a has the power a**2 / 2, and |the filter's sum| is a * N / 2.
    powers = 2 * np.abs(_WAVES @ window / _WINDOW) ** 2
    rows, columns = powers[:4], powers[4:]
    row, column = int(rows.argmax()), int(columns.argmax())
    weaker, stronger = sorted((float(rows[row]), float(columns[column])))
    if weaker + stronger < _SHARE * power or stronger > _TWIST * weaker:
        return ""
    return _KEYS[row * 4 + column]
