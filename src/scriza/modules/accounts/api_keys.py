"""Keys for programs: scoped, expiring, kept as digests only."""

from datetime import datetime, timedelta

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Forbidden, NotFound, ScrizaError, Unauthenticated
from scriza.kernel.principal import current
from scriza.kernel.scopes import ALL, Scope
from scriza.modules.accounts.books import KeyBook, KeyRecord
from scriza.modules.accounts.handles import new_handle, read_handle, same
from scriza.ports.accounts import ApiKey, Identity, NewKey

_log = structlog.get_logger()

_KEY = "key"
_NOTED_AFTER = timedelta(minutes=1)
"""`last_used_at` is as exact as this, so that a busy key does not write with every request."""


class Keys:
    """Makes, knows and revokes them."""

    def __init__(self, book: KeyBook, clock: WallClock = utc_now) -> None:
        self._book = book
        self._clock = clock

    async def make(self, asked: NewKey) -> ApiKey:
        """Raises Forbidden for scopes that whoever asks does not hold."""
        asking = current().principal
        wanted = {scope.value for scope in asked.scopes}
        if Scope.SELF in wanted:
            raise Forbidden("a key is nobody's own account")
        if ALL not in asking.scopes and not wanted <= asking.scopes:
            raise Forbidden(f"nobody gives away what they do not hold: {', '.join(sorted(wanted - asking.scopes))}")
        now, handle = self._clock(), new_handle(_KEY)
        record = KeyRecord(
            key_id=handle.id,
            workspace=asking.workspace,
            name=asked.name,
            digest=handle.digest,
            scopes=sorted(wanted),
            created_by=asking.subject,
            created_at=now,
            expires_at=now + timedelta(days=asked.days),
        )
        await self._book.add(record)
        return _told(record, str(handle))

    async def of(self, workspace: str) -> list[ApiKey]:
        """Those in force."""
        now = self._clock()
        return [_told(record) for record in await self._book.of(workspace) if record.expires_at > now]

    async def revoke(self, workspace: str, key_id: str) -> None:
        """Raises NotFound."""
        if not await self._book.revoke(workspace, key_id):
            raise NotFound("there is no such key")

    async def identify(self, token: str) -> Identity:
        """Whose it is. Raises Unauthenticated for a key that is not good any more."""
        handle = read_handle(_KEY, token)
        if handle is None:
            return Identity(known=False)
        now = self._clock()
        record = await self._book.find(handle.id)
        if record is None or not same(record.digest, handle.digest) or record.expires_at <= now:
            raise Unauthenticated("the key is not valid, or no longer")
        await self._note_use(record, now)
        return Identity(known=True, workspace=record.workspace, subject=f"key_{record.key_id}", scopes=record.scopes)

    async def _note_use(self, record: KeyRecord, now: datetime) -> None:
        if record.used_at is not None and now < record.used_at + _NOTED_AFTER:
            return
        try:
            await self._book.used(record.key_id, now)
        except ScrizaError as error:
            _log.warning("accounts.use_not_noted", reason=error.slug)


def _told(record: KeyRecord, key: str = "") -> ApiKey:
    return ApiKey(
        id=record.key_id,
        name=record.name,
        scopes=record.scopes,
        created_by=record.created_by,
        created_at=record.created_at,
        expires_at=record.expires_at,
        last_used_at=record.used_at,
        key=key,
    )
