"""Server-sent events out of bytes, as the HTML standard's section 9.2 describes them; lines end with LF or CRLF."""

from collections.abc import Iterator

from scriza.kernel.errors import UpstreamFailed

LONGEST_EVENT = 8 * 1024 * 1024
"""Bytes. A clip's audio comes in pieces, so that no event of ours is near it."""

HEARTBEAT = b":\n\n"
"""A comment: it tells that the sender lives, and nothing else."""


class EventParser:
    """Takes bytes as they come and gives whole events."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """The name and data of each event that `chunk` completes; what has no data, as a comment, is skipped.

        Raises UpstreamFailed for an event without an end.
        """
        *whole, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        for text in whole:
            name, data = _parse(text)
            if data is not None:
                yield name, data
        if len(self._rest) > LONGEST_EVENT:
            raise UpstreamFailed("an event of the stream is too long")


def _parse(text: bytes) -> tuple[str, bytes | None]:
    name, data = "message", None
    for line in text.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data = value if data is None else data + b"\n" + value
    return name, data
