"""Tokens that are good once: invitations, resets, begun log-ins."""

from datetime import timedelta
from typing import TypeVar

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Forbidden
from scriza.modules.accounts.books import OneTimeBook, OneTimeRecord, TokenKind
from scriza.modules.accounts.handles import new_handle, read_handle, same

About = TypeVar("About", bound=msgspec.Struct)


class OneTime:
    """Makes and takes them."""

    def __init__(self, book: OneTimeBook, clock: WallClock = utc_now) -> None:
        self._book = book
        self._clock = clock

    async def make(self, kind: TokenKind, about: msgspec.Struct, life: timedelta, id_: str = "") -> str:
        """A token for `about`."""
        handle = new_handle(kind, id_)
        record = OneTimeRecord(
            kind=kind,
            id=handle.id,
            digest=handle.digest,
            expires_at=self._clock() + life,
            about=msgspec.json.encode(about),
        )
        await self._book.put(record)
        return str(handle)

    async def find(self, kind: TokenKind, token: str) -> OneTimeRecord:
        """What a token is for, without taking it. Raises Forbidden for one that is not good."""
        handle = read_handle(kind, token)
        record = await self._book.find(kind, handle.id) if handle else None
        if (
            handle is None
            or record is None
            or not same(record.digest, handle.digest)
            or record.expires_at <= self._clock()
        ):
            raise Forbidden("this token is not good, or no longer: ask for another one", reason="token-not-good")
        return record

    async def take(self, record: OneTimeRecord) -> None:
        """Use it up. Raises Forbidden when somebody else was faster."""
        if not await self._book.take(record):
            raise Forbidden("this token was used already: ask for another one", reason="token-not-good")

    async def failed(self, record: OneTimeRecord, most: int) -> None:
        """Count a wrong answer; after the last that is allowed the token is void."""
        if await self._book.failed(record) >= most:
            await self._book.take(record)


def about(record: OneTimeRecord, kind: type[About]) -> About:
    """What the token is for."""
    return msgspec.json.decode(record.about, type=kind)
