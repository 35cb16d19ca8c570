"""Which key signs access tokens: all processes agree by the store, and every thirty days there is another.

Two are live: the newest signs, and the one before it still verifies what it has signed. A key is told to the world a
while before it signs, so that whoever keeps the key set knows it by then.
"""

import asyncio
from datetime import datetime, timedelta

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError, Unavailable
from scriza.modules.accounts.books import SignerBook, SignerRecord
from scriza.modules.accounts.sealing import Seal
from scriza.modules.accounts.tokens import LIFE, Claims, SigningKey, signed, verified
from scriza.ports.accounts import Jwks

_log = structlog.get_logger()

ROTATED_AFTER = timedelta(days=30)

_LIVE = 2
_ANNOUNCED = timedelta(minutes=5)
_LOOKED_AT_AFTER = timedelta(minutes=1)


class _Live(msgspec.Struct, frozen=True):
    """What a process knows of the keys, and when it looked."""

    keys: list[tuple[SigningKey, datetime]]
    looked_at: datetime


class Signing:
    """Signs and verifies access tokens for `issuer`, the public URL."""

    def __init__(self, book: SignerBook, seal: Seal, issuer: str, clock: WallClock = utc_now) -> None:
        self._book = book
        self._seal = seal
        self._issuer = issuer
        self._clock = clock
        self._live: _Live | None = None
        self._looking = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """Who signs."""
        return self._issuer

    async def sign(self, claims: Claims) -> str:
        """The token. Raises what the store raises."""
        live = await self._keys(rotating=True)
        old_enough = self._clock() - _ANNOUNCED
        return signed(next((key for key, made in live if made <= old_enough), live[-1][0]), claims)

    async def verify(self, token: str) -> Claims:
        """Raises Unauthenticated, and what the store raises."""
        keys = [key for key, _ in await self._keys()]
        return verified(keys, token, issuer=self._issuer, now=self._clock())

    async def public(self) -> Jwks:
        """What others verify by."""
        return Jwks([key.public for key, _ in await self._keys(rotating=True)])

    async def _keys(self, *, rotating: bool = False) -> list[tuple[SigningKey, datetime]]:
        now = self._clock()
        live = self._live
        if live is None or live.looked_at + _LOOKED_AT_AFTER <= now or not live.keys:
            async with self._looking:
                if self._live is live:
                    live = await self._look(now, live)
                else:
                    live = self._live
        assert live is not None, "looking tells what is there, or raises"
        if rotating and (not live.keys or live.keys[0][1] + ROTATED_AFTER <= now):
            live = await self._rotate(live)
        return live.keys

    async def _look(self, now: datetime, live: _Live | None) -> _Live:
        """The keys in the store; those that are known, while it does not answer."""
        try:
            records = await self._book.newest(_LIVE)
        except ScrizaError as error:
            if live is None:
                raise
            _log.warning("accounts.keys_not_read", reason=error.slug)
            return live
        known = {} if live is None else {key.kid: key for key, _ in live.keys}
        keys = [(known.get(record.kid) or self._opened(record), record.created_at) for record in records]
        self._live = _Live(keys, now)
        return self._live

    def _opened(self, record: SignerRecord) -> SigningKey:
        return SigningKey.read(self._seal.open(record.sealed, record.kid))

    async def _rotate(self, live: _Live) -> _Live:
        """Add a key, unless another process is faster."""
        key, now = SigningKey.made(), self._clock()
        record = SignerRecord(kid=key.kid, sealed=self._seal.seal(key.written(), key.kid), created_at=now)
        if await self._book.add(record, live.keys[0][0].kid if live.keys else ""):
            _log.info("accounts.key_added", kid=key.kid)
        looked = await self._look(now, None)
        if not looked.keys:
            raise Unavailable("there is no key to sign by")
        return looked


assert LIFE + _ANNOUNCED < ROTATED_AFTER, "a key still verifies what it has signed when the next one signs"
