"""The `SignIn` port: how people prove who they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Conflict, Forbidden, RateLimited, ScrizaError, Unauthenticated, Unavailable
from scriza.kernel.ids import derived_id, new_id
from scriza.modules.accounts import letters
from scriza.modules.accounts.audit import Audit
from scriza.modules.accounts.books import UserBook, UserRecord
from scriza.modules.accounts.external import External, Purpose
from scriza.modules.accounts.factors import Factors
from scriza.modules.accounts.one_time import OneTime, about
from scriza.modules.accounts.passwords import Passwords, check_password
from scriza.modules.accounts.sessions import Sessions
from scriza.modules.accounts.signing import Signing
from scriza.ports.accounts import (
    Done,
    ExternalAnswer,
    ExternalBegun,
    ExternalLogIn,
    Jwks,
    LoggedIn,
    LogIn,
    Providers,
    RefreshToken,
    Reset,
    ResetAsked,
    Role,
    SecondFactor,
    SignUp,
    Tokens,
)
from scriza.ports.identity_provider import Proven
from scriza.ports.mail import Letter, Mail
from scriza.ports.shared_state import SharedState

_log = structlog.get_logger()

RESET_LIFE = timedelta(minutes=10)

_CHALLENGE_LIFE = timedelta(minutes=5)
_MOST_CODES = 5
_MOST_TRIES, _TRIES_WINDOW = 10, timedelta(minutes=15)
"""Log-ins for one address, from wherever they come."""
_MOST_RESETS, _RESETS_WINDOW = 3, timedelta(hours=1)
_WRONG = "the address or the password is not right"
_QUEUED = 100
_MAIL_SECONDS = 30


class Invited(msgspec.Struct, frozen=True):
    """What an invitation is for."""

    workspace: str
    email: str
    role: Role
    by: str


class ForUser(msgspec.Struct, frozen=True):
    """Whom a reset, or a begun log-in, is for."""

    user_id: str


class SignInService:
    """Implements `SignIn`. What must take the same time for everybody is done behind the answer, by `running`."""

    def __init__(
        self,
        users: UserBook,
        sessions: Sessions,
        one_time: OneTime,
        passwords: Passwords,
        factors: Factors,
        signing: Signing,
        mail: Mail,
        state: SharedState,
        audit: Audit,
        external: External,
        *,
        url: str,
        clock: WallClock = utc_now,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._one_time = one_time
        self._passwords = passwords
        self._factors = factors
        self._signing = signing
        self._mail = mail
        self._state = state
        self._audit = audit
        self._external = external
        self._url = url
        self._clock = clock
        self._resets: asyncio.Queue[str] = asyncio.Queue(_QUEUED)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Resets that were asked for are sent while inside."""
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send_resets())
            yield
            sending.cancel()
        self._passwords.close()

    async def sign_up(self, asked: SignUp) -> Tokens:
        """See SignIn."""
        token = await self._one_time.find("invitation", asked.token)
        invited = about(token, Invited)
        check_password(asked.password, asked.name, invited.email)
        user = UserRecord(
            user_id=new_id("usr"),
            workspace=invited.workspace,
            email=invited.email,
            name=asked.name,
            role=invited.role,
            created_at=self._clock(),
            password=await self._passwords.hash(asked.password),
        )
        await self._one_time.take(token)
        await self._users.add(user)
        await self._audit.note("user.joined", user.user_id, workspace=user.workspace, actor=user.user_id)
        return await self._sessions.open(user)

    async def log_in(self, asked: LogIn) -> LoggedIn:
        """See SignIn."""
        email = normal_email(asked.email)
        await self._spend("login", email, _MOST_TRIES, _TRIES_WINDOW)
        user = await self._users.by_email(email)
        kept = "" if user is None or user.disabled else user.password
        fits = await self._passwords.fits(kept, asked.password)
        if user is None or user.disabled or not fits:
            if user is not None:
                await self._note_refused("login", user)
            raise Unauthenticated(_WRONG)
        await self._state.delete(_tries("login", email))
        if self._passwords.ages(user.password):
            anew = msgspec.structs.replace(user, password=await self._passwords.hash(asked.password))
            await self._users.change(user, anew)
        return await self._admitted(user)

    async def second_factor(self, asked: SecondFactor) -> Tokens:
        """See SignIn."""
        try:
            challenge = await self._one_time.find("challenge", asked.challenge)
        except Forbidden as error:
            raise Unauthenticated("this log-in is over: begin again") from error
        user = await self._users.by_id(about(challenge, ForUser).user_id)
        if user is None or user.disabled:
            raise Unauthenticated("this log-in is over: begin again")
        if not await self._factors.take(user, asked.code):
            await self._one_time.failed(challenge, _MOST_CODES)
            await self._note_refused("second-factor", user)
            raise Unauthenticated("the code is not right")
        try:
            await self._one_time.take(challenge)
        except Forbidden as error:
            raise Unauthenticated("this log-in is over: begin again") from error
        return await self._opened(user)

    async def refresh(self, asked: RefreshToken) -> Tokens:
        """See SignIn."""
        return await self._sessions.refresh(asked.refresh_token)

    async def log_out(self, asked: RefreshToken) -> Done:
        """See SignIn."""
        await self._sessions.log_out(asked.refresh_token)
        return Done()

    async def ask_reset(self, asked: ResetAsked) -> Done:
        """See SignIn. The answer is given before anything is looked up."""
        try:
            self._resets.put_nowait(normal_email(asked.email))
        except asyncio.QueueFull:
            raise Unavailable("too many ask for a new password: try again in a minute", retry_after=60) from None
        return Done()

    async def reset(self, asked: Reset) -> Done:
        """See SignIn."""
        token = await self._one_time.find("reset", asked.token)
        user = await self._users.by_id(about(token, ForUser).user_id)
        if user is None or user.disabled:
            raise Forbidden("this token is not good, or no longer: ask for another one", reason="token-not-good")
        check_password(asked.password, user.name, user.email)
        password = await self._passwords.hash(asked.password)
        await self._one_time.take(token)
        if not await self._users.change(user, msgspec.structs.replace(user, password=password)):
            raise Conflict("the account has just been changed: ask for another token")
        await self._sessions.end_all(user.user_id)
        await self._audit.note("password.reset", user.user_id, workspace=user.workspace, actor=user.user_id)
        await self._write(letters.password_changed(user.email, self._url))
        return Done()

    async def providers(self) -> Providers:
        """See SignIn."""
        return Providers(self._external.names)

    async def begin_external(self, asked: ExternalLogIn) -> ExternalBegun:
        """See SignIn."""
        if asked.invitation:
            await self._one_time.find("invitation", asked.invitation)
        return await self._external.begin(asked.provider, Purpose(invitation=asked.invitation))

    async def finish_external(self, asked: ExternalAnswer) -> LoggedIn:
        """See SignIn."""
        proven, purpose = await self._external.finish(asked)
        if purpose.user_id:
            raise Unauthenticated("this was begun to link an identity, not to log in")
        user = await self._users.by_identity(proven.key)
        if user is None and purpose.invitation:
            return LoggedIn(await self._joined(proven, purpose.invitation))
        if user is None or user.disabled:
            raise Unauthenticated("nobody here is known by this identity: ask for an invitation", reason="not-invited")
        return await self._admitted(user)

    async def keys(self) -> Jwks:
        """See SignIn."""
        return await self._signing.public()

    async def _joined(self, proven: Proven, invitation: str) -> Tokens:
        token = await self._one_time.find("invitation", invitation)
        invited = about(token, Invited)
        user = UserRecord(
            user_id=new_id("usr"),
            workspace=invited.workspace,
            email=invited.email,
            name=proven.name[:200] or invited.email.partition("@")[0],
            role=invited.role,
            created_at=self._clock(),
            identities=[proven.key],
        )
        await self._one_time.take(token)
        await self._users.add(user)
        await self._audit.note("user.joined", user.user_id, workspace=user.workspace, actor=user.user_id)
        return await self._sessions.open(user)

    async def _admitted(self, user: UserRecord) -> LoggedIn:
        if user.factor_confirmed:
            return LoggedIn(challenge=await self._one_time.make("challenge", ForUser(user.user_id), _CHALLENGE_LIFE))
        return LoggedIn(await self._opened(user))

    async def _opened(self, user: UserRecord) -> Tokens:
        tokens = await self._sessions.open(user)
        await self._audit.note("user.logged-in", user.user_id, workspace=user.workspace, actor=user.user_id)
        return tokens

    async def _note_refused(self, act: str, user: UserRecord) -> None:
        await self._audit.note(
            f"{act}.refused", user.user_id, workspace=user.workspace, actor="anonymous", outcome="refused"
        )

    async def _spend(self, what: str, email: str, most: int, window: timedelta) -> None:
        """Raises RateLimited, before anything costly is done."""
        if await self._state.add(_tries(what, email), 1, window) > most:
            minutes = int(window.total_seconds()) // 60
            raise RateLimited(f"too many tries for this address: wait {minutes} minutes", retry_after=minutes * 60)

    async def _send_resets(self) -> None:
        while True:
            email = await self._resets.get()
            try:
                await self._spend("reset", email, _MOST_RESETS, _RESETS_WINDOW)
                user = await self._users.by_email(email)
                if user is not None and not user.disabled:
                    token = await self._one_time.make("reset", ForUser(user.user_id), RESET_LIFE)
                    await self._write(letters.reset(user.email, token, self._url))
                    await self._audit.note("reset.asked", user.user_id, workspace=user.workspace, actor="anonymous")
            except ScrizaError as error:
                _log.warning("accounts.reset_not_sent", reason=error.slug)

    async def _write(self, letter: Letter) -> None:
        try:
            async with asyncio.timeout(_MAIL_SECONDS):
                await self._mail.send(letter)
        except (ScrizaError, TimeoutError) as error:
            _log.warning("accounts.letter_not_sent", error=type(error).__name__)


def normal_email(email: str) -> str:
    """The form that accounts are found by."""
    return email.strip().lower()


def _tries(what: str, email: str) -> str:
    return f"tries:{what}:{derived_id('addr', email)}"
