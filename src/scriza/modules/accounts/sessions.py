"""Sessions: an access token that is good for minutes, and a refresh token that is good once.

A refresh token that comes a second time was stolen, or its successor was: the session ends (OWASP ASVS 5.0, 10.4.5).
What ends is known at once wherever the shared state is, and everywhere when the access token's ten minutes are over.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError, Unauthenticated
from scriza.kernel.ids import new_id
from scriza.modules.accounts.audit import Audit
from scriza.modules.accounts.books import SessionBook, SessionRecord, UserBook, UserRecord
from scriza.modules.accounts.handles import Handle, new_handle, read_handle, same
from scriza.modules.accounts.roles import scopes_of
from scriza.modules.accounts.signing import Signing
from scriza.modules.accounts.tokens import AUDIENCE, LIFE, Claims
from scriza.ports.accounts import Tokens
from scriza.ports.shared_state import SharedState

_log = structlog.get_logger()

IDLE_LIFE, LONGEST_LIFE = timedelta(days=14), timedelta(days=90)

_REFRESH = "refresh"
_NOT_GOOD = "the session is over: log in again"


class Sessions:
    """Opens, refreshes and ends them."""

    def __init__(
        self,
        book: SessionBook,
        users: UserBook,
        signing: Signing,
        state: SharedState,
        audit: Audit,
        clock: WallClock = utc_now,
    ) -> None:
        self._book = book
        self._users = users
        self._signing = signing
        self._state = state
        self._audit = audit
        self._clock = clock

    async def open(self, user: UserRecord) -> Tokens:
        """A new session of this person."""
        now = self._clock()
        handle = new_handle(_REFRESH)
        session = SessionRecord(
            session_id=handle.id,
            user_id=user.user_id,
            workspace=user.workspace,
            digest=handle.digest,
            created_at=now,
            used_at=now,
            expires_at=now + IDLE_LIFE,
            ends_at=now + LONGEST_LIFE,
        )
        await self._book.open(session)
        return await self._tokens(user, handle)

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next tokens of the session. Raises Unauthenticated."""
        now = self._clock()
        handle = read_handle(_REFRESH, refresh_token)
        session = await self._book.find(handle.id) if handle else None
        if handle is None or session is None or now >= min(session.expires_at, session.ends_at):
            raise Unauthenticated(_NOT_GOOD)
        following = new_handle(_REFRESH, handle.id)
        expires_at = min(now + IDLE_LIFE, session.ends_at)
        if not same(session.digest, handle.digest) or not await self._book.rotate(
            session, following.digest, now, expires_at
        ):
            await self.end(session.session_id)
            await self._audit.note(
                "session.reused", session.session_id, workspace=session.workspace, actor=session.user_id
            )
            raise Unauthenticated(_NOT_GOOD, reason="refresh-reused")
        user = await self._users.by_id(session.user_id)
        if user is None or user.disabled:
            await self.end(session.session_id)
            raise Unauthenticated(_NOT_GOOD)
        return await self._tokens(user, following)

    async def log_out(self, refresh_token: str) -> None:
        """End the session, if the token is its own."""
        handle = read_handle(_REFRESH, refresh_token)
        session = await self._book.find(handle.id) if handle else None
        if handle is not None and session is not None and same(session.digest, handle.digest):
            await self.end(session.session_id)

    async def end(self, session_id: str) -> None:
        """End one."""
        await self._book.end(session_id)
        await self._revoke([session_id])

    async def end_all(self, user_id: str, but: str = "") -> None:
        """End all of a person's, but one."""
        await self._revoke(await self._book.end_all(user_id, but))

    async def live(self, claims: Claims) -> bool:
        """Whether the session of an access token has not been ended, as far as this process can know."""
        try:
            return await self._state.get(_revoked(claims.sid)) is None
        except ScrizaError as error:
            _log.warning("accounts.revocations_unknown", reason=error.slug)
            return True

    async def _revoke(self, session_ids: Sequence[str]) -> None:
        for session_id in session_ids:
            try:
                await self._state.put(_revoked(session_id), b"1", LIFE + timedelta(minutes=1))
            except ScrizaError as error:
                _log.warning("accounts.revocation_not_told", reason=error.slug)

    async def _tokens(self, user: UserRecord, refresh: Handle) -> Tokens:
        now = self._clock()
        claims = Claims(
            iss=self._signing.issuer,
            sub=user.user_id,
            aud=AUDIENCE,
            exp=int((now + LIFE).timestamp()),
            iat=int(now.timestamp()),
            jti=new_id("jwt"),
            workspace=user.workspace,
            sid=refresh.id,
            role=user.role,
            scope=" ".join(sorted(scopes_of(user.role))),
        )
        access_token = await self._signing.sign(claims)
        return Tokens(access_token, str(refresh), int(LIFE.total_seconds()), "Bearer")


def _revoked(session_id: str) -> str:
    return f"session-ended:{session_id}"
