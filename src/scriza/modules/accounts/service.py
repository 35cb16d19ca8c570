"""The `Accounts` port: people, programs' keys, and what was done with them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Conflict, Forbidden, NotFound, ScrizaError, Unauthenticated
from scriza.kernel.ids import derived_id
from scriza.kernel.principal import current
from scriza.modules.accounts import letters
from scriza.modules.accounts.api_keys import Keys
from scriza.modules.accounts.audit import Audit
from scriza.modules.accounts.books import AuditBook, UserBook, UserRecord
from scriza.modules.accounts.external import External, Purpose
from scriza.modules.accounts.factors import Factors
from scriza.modules.accounts.one_time import OneTime
from scriza.modules.accounts.passwords import Passwords, check_password
from scriza.modules.accounts.roles import may_give
from scriza.modules.accounts.sessions import Sessions
from scriza.modules.accounts.sign_in import Invited, normal_email
from scriza.modules.accounts.signing import Signing
from scriza.modules.accounts.tokens import looks_like_one
from scriza.ports.accounts import (
    ApiKey,
    ApiKeys,
    AuditPage,
    Credential,
    Done,
    ExternalAnswer,
    ExternalBegun,
    ExternalLogIn,
    FactorCode,
    FactorSecret,
    Identity,
    Invitation,
    Invite,
    LinkedIdentities,
    LinkedIdentity,
    Me,
    NewKey,
    Page,
    PasswordChange,
    RecoveryCodes,
    Role,
    RoleChange,
    User,
    Users,
)
from scriza.ports.mail import Mail

_log = structlog.get_logger()

INVITATION_LIFE = timedelta(days=7)

replaced = msgspec.structs.replace

Balance = Callable[[], Awaitable[int]]
"""The credit of the principal's workspace, in micro-USD. Raises ScrizaError when nobody can tell."""


class AccountsService:
    """Implements `Accounts`."""

    def __init__(
        self,
        users: UserBook,
        sessions: Sessions,
        one_time: OneTime,
        passwords: Passwords,
        factors: Factors,
        signing: Signing,
        keys: Keys,
        mail: Mail,
        audit: Audit,
        audit_book: AuditBook,
        external: External,
        *,
        url: str,
        balance: Balance | None = None,
        clock: WallClock = utc_now,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._one_time = one_time
        self._passwords = passwords
        self._factors = factors
        self._signing = signing
        self._keys = keys
        self._mail = mail
        self._audit = audit
        self._audit_book = audit_book
        self._external = external
        self._url = url
        self._balance = balance
        self._clock = clock

    async def identify(self, asked: Credential) -> Identity:
        """See Accounts."""
        if looks_like_one(asked.token):
            claims = await self._signing.verify(asked.token)
            if not await self._sessions.live(claims):
                raise Unauthenticated("the session is over: log in again")
            return Identity(known=True, workspace=claims.workspace, subject=claims.sub, scopes=sorted(claims.scopes))
        return await self._keys.identify(asked.token)

    async def me(self) -> Me:
        """See Accounts."""
        asking = current().principal
        user = await self._users.by_id(asking.subject)
        return Me(
            workspace=asking.workspace,
            subject=asking.subject,
            scopes=sorted(asking.scopes),
            user=None if user is None else told(user),
            roles=[] if user is None else [user.role],
            credits_micro_usd=await self._credits(),
        )

    async def change_password(self, asked: PasswordChange) -> Done:
        """See Accounts."""
        user = await self._myself()
        if not await self._passwords.fits(user.password, asked.current):
            await self._audit.note("password.change", user.user_id, outcome="refused")
            raise Forbidden("the current password is not right")
        check_password(asked.new, user.name, user.email)
        await self._change(user, replaced(user, password=await self._passwords.hash(asked.new)))
        await self._sessions.end_all(user.user_id)
        await self._audit.note("password.change", user.user_id)
        return Done()

    async def begin_second_factor(self) -> FactorSecret:
        """See Accounts."""
        return await self._factors.begin(await self._myself())

    async def confirm_second_factor(self, asked: FactorCode) -> RecoveryCodes:
        """See Accounts."""
        user = await self._myself()
        codes = await self._factors.confirm(user, asked.code)
        await self._audit.note("second-factor.added", user.user_id)
        return RecoveryCodes(codes)

    async def remove_second_factor(self, asked: FactorCode) -> Done:
        """See Accounts."""
        user = await self._myself()
        await self._factors.remove(user, asked.code)
        await self._audit.note("second-factor.removed", user.user_id)
        return Done()

    async def begin_link(self, asked: ExternalLogIn) -> ExternalBegun:
        """See Accounts."""
        if asked.invitation:
            raise BadInput("invitation: who has an account takes none")
        user = await self._myself()
        return await self._external.begin(asked.provider, Purpose(user_id=user.user_id))

    async def finish_link(self, asked: ExternalAnswer) -> Done:
        """See Accounts."""
        user = await self._myself()
        proven, purpose = await self._external.finish(asked)
        if purpose.user_id != user.user_id:
            raise Unauthenticated("this was begun by somebody else, or to log in")
        if proven.key in user.identities:
            return Done()
        if await self._users.by_identity(proven.key) is not None:
            raise Conflict("this identity is linked to another account")
        await self._change(user, replaced(user, identities=[*user.identities, proven.key]))
        await self._audit.note("identity.linked", user.user_id)
        return Done()

    async def identities(self) -> LinkedIdentities:
        """See Accounts."""
        linked = (await self._myself()).identities
        return LinkedIdentities([LinkedIdentity(_identity_id(key), key.partition(" ")[0]) for key in linked])

    async def unlink(self, identity_id: str) -> Done:
        """See Accounts."""
        user = await self._myself()
        left = [key for key in user.identities if _identity_id(key) != identity_id]
        if left == user.identities:
            return Done()
        if not left and not user.password:
            raise Conflict("it is the last way in: set a password first")
        await self._change(user, replaced(user, identities=left))
        await self._audit.note("identity.unlinked", user.user_id)
        return Done()

    async def log_out_everywhere(self) -> Done:
        """See Accounts."""
        user = await self._myself()
        await self._sessions.end_all(user.user_id)
        await self._audit.note("user.logged-out-everywhere", user.user_id)
        return Done()

    async def users(self, query: Page) -> Users:
        """See Accounts."""
        found = await self._users.of(current().principal.workspace, query.limit + 1, query.cursor)
        shown = found[: query.limit]
        return Users([told(user) for user in shown], shown[-1].user_id if len(found) > query.limit else "")

    async def invite(self, asked: Invite) -> Invitation:
        """See Accounts."""
        asking = current().principal
        await self._check_rank(asked.role)
        email = normal_email(asked.email)
        about = Invited(workspace=asking.workspace, email=email, role=asked.role, by=asking.subject)
        token = await self._one_time.make("invitation", about, INVITATION_LIFE)
        await self._audit.note("user.invited", asked.role)
        try:
            await self._mail.send(letters.invitation(email, asked.role, token, self._url))
        except ScrizaError as error:
            # The token is in the answer too, so that an invitation does not hang on the mail.
            _log.warning("accounts.letter_not_sent", error=error.slug)
        return Invitation(email, asked.role, self._clock() + INVITATION_LIFE, token)

    async def change_role(self, user_id: str, asked: RoleChange) -> User:
        """See Accounts."""
        user = await self._other(user_id)
        await self._check_rank(asked.role)
        if asked.role != "owner":
            await self._keep_an_owner(user)
        changed = await self._change(user, replaced(user, role=asked.role))
        await self._sessions.end_all(user_id)
        await self._audit.note(f"user.made-{asked.role}", user_id)
        return told(changed)

    async def disable(self, user_id: str) -> User:
        """See Accounts."""
        user = await self._other(user_id)
        await self._keep_an_owner(user)
        changed = await self._change(user, replaced(user, disabled=True))
        await self._sessions.end_all(user_id)
        await self._audit.note("user.disabled", user_id)
        return told(changed)

    async def enable(self, user_id: str) -> User:
        """See Accounts."""
        user = await self._other(user_id)
        changed = await self._change(user, replaced(user, disabled=False))
        await self._audit.note("user.enabled", user_id)
        return told(changed)

    async def make_key(self, asked: NewKey) -> ApiKey:
        """See Accounts."""
        made = await self._keys.make(asked)
        await self._audit.note("key.made", made.id)
        return made

    async def list_keys(self) -> ApiKeys:
        """See Accounts."""
        return ApiKeys(await self._keys.of(current().principal.workspace))

    async def revoke_key(self, key_id: str) -> Done:
        """See Accounts."""
        await self._keys.revoke(current().principal.workspace, key_id)
        await self._audit.note("key.revoked", key_id)
        return Done()

    async def audit(self, query: Page) -> AuditPage:
        """See Accounts."""
        return AuditPage(*await self._audit_book.page(current().principal.workspace, query.limit, query.cursor))

    async def _myself(self) -> UserRecord:
        user = await self._users.by_id(current().principal.subject)
        if user is None:
            raise Forbidden("this is for people who have logged in")
        return user

    async def _other(self, user_id: str) -> UserRecord:
        """Somebody of one's own workspace, not above oneself."""
        user = await self._users.by_id(user_id)
        if user is None or user.workspace != current().principal.workspace:
            raise NotFound("there is no such user")
        await self._check_rank(user.role)
        return user

    async def _check_rank(self, role: Role) -> None:
        asking = await self._users.by_id(current().principal.subject)
        # Keys and processes of ours have no rank; that they hold the scope was decided by who made them.
        if asking is not None and not may_give(asking.role, role):
            raise Forbidden(f"a {asking.role} cannot do this to, or make, a {role}")

    async def _keep_an_owner(self, user: UserRecord) -> None:
        if user.role == "owner" and not user.disabled and await self._users.owners(user.workspace) < 2:
            raise Conflict("this is the last owner of the workspace")

    async def _change(self, old: UserRecord, new: UserRecord) -> UserRecord:
        if not await self._users.change(old, new):
            raise Conflict("the account has just been changed: try again")
        return new

    async def _credits(self) -> int | None:
        if self._balance is None:
            return None
        try:
            return await self._balance()
        except ScrizaError as error:
            _log.warning("accounts.credits_unknown", reason=error.slug)
            return None


def told(user: UserRecord) -> User:
    """As others see a person."""
    return User(
        id=user.user_id,
        workspace=user.workspace,
        email=user.email,
        name=user.name,
        role=user.role,
        created_at=user.created_at,
        disabled=user.disabled,
        second_factor=user.factor_confirmed,
    )


def _identity_id(key: str) -> str:
    """The name of who somebody is elsewhere, in a URL."""
    return derived_id("idn", key)
