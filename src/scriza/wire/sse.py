"""Server-sent events out of bytes, as the WHATWG's HTML standard, section 9.2.6, describes them."""

from collections.abc import AsyncIterator

from scriza.kernel.errors import TooLarge

LONGEST_EVENT = 4 * 1024 * 1024
"""Bytes. A clip's audio comes in pieces, so that no event of ours is near it."""

HEARTBEAT = b":\n\n"
"""A comment: it tells that the sender still lives."""


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, bytes]]:
    """Each event's name and data. What has no data, comments among it, is skipped. Raises TooLarge."""
    rest = b""
    async for chunk in chunks:
        rest = (rest + chunk).replace(b"\r\n", b"\n")
        *whole, rest = rest.split(b"\n\n")
        for text in whole:
            name, data = _parse(text)
            if data is not None:
                yield name, data
        if len(rest) > LONGEST_EVENT:
            raise TooLarge("an event of the stream is too long")


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
