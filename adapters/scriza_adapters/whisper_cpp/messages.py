"""What passes between Scriza and the worker process that holds whisper.cpp."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """What the process loads, and how it runs."""

    model: str
    """Path of a ggml file."""
    threads: int
    window_s: float


class Describe(msgspec.Struct, tag="describe", frozen=True):
    """Asks what the model knows."""


class Known(msgspec.Struct, tag="known", frozen=True):
    """Codes of the model's languages."""

    languages: list[str]


class Detect(msgspec.Struct, tag="detect", frozen=True):
    """Asks which language is spoken. Audio as int16 little-endian, mono, 16 kHz."""

    pcm: bytes


class Detected(msgspec.Struct, tag="detected", frozen=True):
    """A code; empty when the model is not sure."""

    language: str


class Recognise(msgspec.Struct, tag="recognise", frozen=True):
    """Asks what was said; an empty `language` is detected."""

    pcm: bytes
    language: str
    words: str
    """Hot words, as Whisper is told them."""
    prompt: str
    beam_size: int
