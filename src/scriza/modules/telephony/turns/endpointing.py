"""The question every endpointing policy answers."""

from typing import Protocol

import msgspec


class Pause(msgspec.Struct, frozen=True):
    """A silence that may be the end of the caller's turn."""

    text: str
    """What has been understood of the turn so far."""
    understood: bool
    """Whether the words up to this pause are there yet."""
    speech_ms: int
    """How much of the turn was speech."""
    inner_pauses_ms: tuple[int, ...]
    """Pauses this caller made inside turns in this call, the newest last."""
    cuts: int = 0
    """How often in this call the caller went on right after a turn was taken to be over."""


class Endpointer(Protocol):
    """Decides how long a silence ends a turn."""

    def silence_needed(self, pause: Pause) -> int:
        """Milliseconds of silence, counted from the last voiced frame, after which the turn is over."""
        ...
