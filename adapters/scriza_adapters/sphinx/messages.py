"""What passes between Scriza and the worker process that holds pocketsphinx."""

import msgspec


class Prepare(msgspec.Struct, tag="prepare", frozen=True):
    """Have the recogniser of these phrases ready."""

    phrases: list[str]


class Recognise(msgspec.Struct, tag="recognise", frozen=True):
    """Audio as int16 little-endian, mono."""

    pcm: bytes
    sample_rate: int
    phrases: list[str]


class Ready(msgspec.Struct, frozen=True):
    """The recogniser is there."""

    left_out: int
    """Phrases that cannot be said in English."""
