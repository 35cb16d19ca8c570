"""Letters to people: by SMTP, or into a folder of the data directory."""

from typing import Protocol

import msgspec


class Letter(msgspec.Struct, frozen=True):
    """A letter in plain text."""

    to: str
    subject: str
    text: str


class Mail(Protocol):
    """Sends letters."""

    async def send(self, letter: Letter) -> None:
        """Hand the letter on. Raises UpstreamFailed, Unavailable or DeadlineExceeded when nobody takes it."""
        ...
