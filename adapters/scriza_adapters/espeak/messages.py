"""What passes between Scriza and the worker process that holds espeak-ng."""

import msgspec

from scriza.ports.tts import SpokenWord


class Utterance(msgspec.Struct, frozen=True):
    """A text to be spoken by `voice`, espeak-ng's own name of one (``gmw/en-US+f3``)."""

    text: str
    voice: str
    sample_rate: int
    """Hz of the audio that comes back."""
    rate: int
    """Words a minute, 80 to 450."""
    pitch: int
    """0 to 100; 50 is the voice's own."""
    intonation: int
    """How far the pitch moves, 0 to 100; 50 is the voice's own."""


class Piece(msgspec.Struct, frozen=True):
    """The next audio, int16 little-endian, and the words that end in it."""

    pcm: bytes
    words: list[SpokenWord]
