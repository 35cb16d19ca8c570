"""Endpointing by a fixed silence."""

from scriza.modules.telephony.turns.endpointing import Pause


class FixedSilence:
    """The turn is over after `milliseconds` of silence, whatever was said."""

    def __init__(self, milliseconds: int = 700) -> None:
        self._milliseconds = milliseconds

    def silence_needed(self, pause: Pause) -> int:
        """The same for every pause."""
        return self._milliseconds
