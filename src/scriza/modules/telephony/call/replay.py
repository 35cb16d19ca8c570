"""A call's event log: recorded as JSON lines while it lives, and played again into a fresh machine."""

from collections.abc import Iterable, Iterator

import msgspec

from scriza.modules.telephony.call.commands import Command
from scriza.modules.telephony.call.events import Event
from scriza.modules.telephony.call.machine import Call


class Noted(msgspec.Struct, frozen=True):
    """One line of the log: `at` is the machine's time in milliseconds."""

    at: int
    event: Event


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Noted)


class Recording:
    """Gathers the event log of a call that lives."""

    def __init__(self) -> None:
        self._lines = bytearray()

    def note(self, at: int, event: Event) -> None:
        """Add a line."""
        self._lines += _encoder.encode(Noted(at, event))
        self._lines += b"\n"

    def __len__(self) -> int:
        return len(self._lines)

    def take(self) -> bytes:
        """The lines since the last time."""
        lines, self._lines = bytes(self._lines), bytearray()
        return lines


def read(log: bytes) -> Iterator[Noted]:
    """The lines of a log. Raises msgspec.DecodeError for one that is broken."""
    return (_decoder.decode(line) for line in log.splitlines() if line)


def replay(call: Call, lines: Iterable[Noted]) -> Iterator[tuple[int, list[Command]]]:
    """What the machine wants at each line: the same as it wanted then, with the same options."""
    return ((line.at, call.receive(line.event, line.at)) for line in lines)
