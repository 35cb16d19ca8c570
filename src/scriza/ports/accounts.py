"""Who may use Scriza: workspaces, people and their roles, how they prove who they are, and keys for programs.

`SignIn` is open to all, since what proves the caller is in the message; `Accounts` asks for a credential. Neither tells
a stranger which addresses have an account, by words or by time.
"""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

Role = Literal["owner", "admin", "manager", "viewer", "service"]
"""What a person, or a program, may do; `scriza.modules.accounts.roles` has their scopes."""

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Code = Annotated[str, msgspec.Meta(min_length=6, max_length=32)]
"""Six digits of an authenticator, or one of the recovery codes."""


class _Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that holds a secret, which no log and no error shows."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Done(msgspec.Struct, frozen=True):
    """It was done; there is nothing more to tell."""

    done: bool = True


# ---- signing in --------------------------------------------------------------------------------------------------


class SignUp(_Secret, frozen=True):
    """The answer to an invitation, by the token that came with it."""

    token: Token
    name: Name
    password: Password


class LogIn(_Secret, frozen=True):
    """An address and its password."""

    email: Email
    password: Password


class Tokens(_Secret, frozen=True):
    """A session. The access token opens the API for `expires_in` seconds; the refresh token, once, gets new ones."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str
    """``Bearer``."""


class LoggedIn(_Secret, frozen=True):
    """Either a session, or the challenge that a second factor answers."""

    tokens: Tokens | None = None
    challenge: str = ""


class SecondFactor(_Secret, frozen=True):
    """A challenge, and the code that answers it."""

    challenge: Token
    code: Code


class RefreshToken(_Secret, frozen=True):
    """A session's refresh token."""

    refresh_token: Token


class ResetAsked(msgspec.Struct, frozen=True):
    """Who has forgotten their password."""

    email: Email


class Reset(_Secret, frozen=True):
    """A new password, by the token that was sent by mail."""

    token: Token
    password: Password


class ExternalLogIn(_Secret, frozen=True):
    """At which provider somebody proves who they are; with an invitation's token they join by it."""

    provider: Name
    invitation: Annotated[str, msgspec.Meta(max_length=512)] = ""


class ExternalBegun(_Secret, frozen=True):
    """Where the browser goes; the token stays with whoever began, and is good once and for ten minutes."""

    url: str
    token: str


class ExternalAnswer(_Secret, frozen=True):
    """The token of the log-in, and what the provider gave the browser: `state`, `code` and, of most, `iss`."""

    token: Token
    state: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    iss: Annotated[str, msgspec.Meta(max_length=512)] = ""


class Jwk(msgspec.Struct, frozen=True):
    """A public key (RFC 7517, RFC 8037)."""

    kid: str
    kty: str
    crv: str
    x: str
    alg: str
    use: Literal["sig"] = "sig"


class Jwks(msgspec.Struct, frozen=True):
    """The keys that access tokens are signed by: the one in force, and the one before or after it."""

    keys: list[Jwk]


class Providers(msgspec.Struct, frozen=True):
    """The names of other providers that people may log in by."""

    data: list[str]


class LinkedIdentity(msgspec.Struct, frozen=True):
    """Who somebody is at another provider, which they can log in by."""

    identity_id: str
    issuer: str


class LinkedIdentities(msgspec.Struct, frozen=True):
    """All that are linked."""

    data: list[LinkedIdentity]


class SignIn(Protocol):
    """How people prove who they are."""

    @operation("POST /api/v1/auth/signup")
    async def sign_up(self, asked: SignUp) -> Tokens:
        """Take an invitation. Raises BadInput for a password that will not do, Forbidden for a bad token."""
        ...

    @operation("POST /api/v1/auth/login")
    async def log_in(self, asked: LogIn) -> LoggedIn:
        """Open a session, or ask for the second factor.

        Raises Unauthenticated for whatever does not fit, RateLimited after too many tries for one address.
        """
        ...

    @operation("POST /api/v1/auth/second-factor")
    async def second_factor(self, asked: SecondFactor) -> Tokens:
        """Open the session that a log-in has begun. Raises Unauthenticated; five wrong codes end the log-in."""
        ...

    @operation("POST /api/v1/auth/refresh")
    async def refresh(self, asked: RefreshToken) -> Tokens:
        """New tokens. Raises Unauthenticated; a refresh token that was used before ends its whole session."""
        ...

    @operation("POST /api/v1/auth/logout")
    async def log_out(self, asked: RefreshToken) -> Done:
        """End the session, if the token is one of it."""
        ...

    @operation("POST /api/v1/auth/reset")
    async def ask_reset(self, asked: ResetAsked) -> Done:
        """Send a link for a new password, good once and for ten minutes, if there is such an account."""
        ...

    @operation("POST /api/v1/auth/reset/confirm")
    async def reset(self, asked: Reset) -> Done:
        """Set a new password and end all sessions. Raises BadInput for a weak one, Forbidden for a bad token."""
        ...

    @operation("GET /api/v1/auth/external")
    async def providers(self) -> Providers:
        """By which other providers one may log in."""
        ...

    @operation("POST /api/v1/auth/external")
    async def begin_external(self, asked: ExternalLogIn) -> ExternalBegun:
        """Log in, or join, by another provider. Raises BadInput for an unknown one, Forbidden for a bad invitation."""
        ...

    @operation("POST /api/v1/auth/external/finish", timeout=30)
    async def finish_external(self, asked: ExternalAnswer) -> LoggedIn:
        """Open the session, or ask for the second factor.

        Raises Unauthenticated for whatever does not fit and for whom nobody has invited, Forbidden when the invitation
        is not good any more.
        """
        ...

    @operation("GET /.well-known/jwks.json")
    async def keys(self) -> Jwks:
        """The public keys of access tokens."""
        ...


# ---- people ------------------------------------------------------------------------------------------------------


class User(msgspec.Struct, frozen=True):
    """A person of a workspace."""

    id: str
    workspace: str
    email: str
    name: str
    role: Role
    created_at: datetime
    disabled: bool = False
    second_factor: bool = False


class Me(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is asking, what they may do, and what credit their workspace has (micro-USD)."""

    workspace: str
    subject: str
    scopes: list[str]
    user: User | None = None
    """Null for a key or another process of ours."""
    roles: list[Role] = []
    credits_micro_usd: int | None = None
    """Null when nobody could tell."""


class Page(msgspec.Struct, frozen=True):
    """At most `limit`; `cursor` is the `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: str = ""


class Users(msgspec.Struct, frozen=True):
    """One page; `next` is empty on the last."""

    data: list[User]
    next: str = ""


class Invite(msgspec.Struct, frozen=True):
    """Who is to join, as what."""

    email: Email
    role: Role = "viewer"


class Invitation(_Secret, frozen=True):
    """An invitation that was sent by mail; `token` is told once, to whoever invited."""

    email: str
    role: Role
    expires_at: datetime
    token: str


class RoleChange(msgspec.Struct, frozen=True):
    """A person's new role."""

    role: Role


class PasswordChange(_Secret, frozen=True):
    """One's own new password, and the one before it."""

    current: Password
    new: Password


class FactorSecret(_Secret, frozen=True):
    """What an authenticator app needs; `uri` is what its QR code holds. In force once a code has confirmed it."""

    secret: str
    uri: str


class FactorCode(_Secret, frozen=True):
    """A code of the authenticator."""

    code: Code


class RecoveryCodes(_Secret, frozen=True):
    """Each is good once in the place of a code; told once."""

    codes: list[str]


class NewKey(msgspec.Struct, frozen=True):
    """A key for a program; `scopes` are some of one's own."""

    name: Name
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1)]
    days: Annotated[int, msgspec.Meta(ge=1, le=730)] = 90


class ApiKey(_Secret, frozen=True):
    """A key. `key` is the credential itself, told once, when it is made."""

    id: str
    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    key: str = ""


class ApiKeys(msgspec.Struct, frozen=True):
    """All keys of the workspace that are not revoked."""

    data: list[ApiKey]


class AuditEntry(msgspec.Struct, frozen=True):
    """One act that matters for security. `actor` and `target` are ids."""

    at: datetime
    act: str
    actor: str
    target: str
    request_id: str
    outcome: Literal["done", "refused"] = "done"


class AuditPage(msgspec.Struct, frozen=True):
    """One page, newest first; `next` is empty on the last."""

    data: list[AuditEntry]
    next: str = ""


class Credential(_Secret, frozen=True):
    """A bearer credential: an access token or a key."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]


class Identity(msgspec.Struct, frozen=True):
    """Whose it is. `known` is false for one that is not of ours; the rest is empty then."""

    known: bool
    workspace: str = ""
    subject: str = ""
    scopes: list[str] = []


class Accounts(Protocol):
    """People, keys, and what was done with them."""

    @operation("POST /v1/identify", timeout=2, idempotent=True)
    async def identify(self, asked: Credential) -> Identity:
        """Whose a credential is, for the edge. Raises Unauthenticated for one of ours that is no longer good."""
        ...

    @operation("GET /api/v1/users/me", scope=Scope.SELF)
    async def me(self) -> Me:
        """Who is asking."""
        ...

    @operation("POST /api/v1/users/me/password", scope=Scope.SELF)
    async def change_password(self, asked: PasswordChange) -> Done:
        """Change one's own password, and end all other sessions. Raises Forbidden for a wrong current one, BadInput."""
        ...

    @operation("POST /api/v1/users/me/second-factor", scope=Scope.SELF)
    async def begin_second_factor(self) -> FactorSecret:
        """A new secret for an authenticator app. Raises Conflict when there is one in force."""
        ...

    @operation("POST /api/v1/users/me/second-factor/confirm", scope=Scope.SELF)
    async def confirm_second_factor(self, asked: FactorCode) -> RecoveryCodes:
        """Put the secret in force. Raises Forbidden for a wrong code, Conflict when nothing was begun."""
        ...

    @operation("POST /api/v1/users/me/second-factor/remove", scope=Scope.SELF)
    async def remove_second_factor(self, asked: FactorCode) -> Done:
        """Go without. Raises Forbidden for a wrong code."""
        ...

    @operation("GET /api/v1/users/me/identities", scope=Scope.SELF)
    async def identities(self) -> LinkedIdentities:
        """Who one is at other providers, as far as that is linked."""
        ...

    @operation("DELETE /api/v1/users/me/identities/{identity_id}", scope=Scope.SELF, idempotent=True)
    async def unlink(self, identity_id: str) -> Done:
        """Log in by it no more. Raises Conflict for one's last way in."""
        ...

    @operation("POST /api/v1/users/me/identities", scope=Scope.SELF)
    async def begin_link(self, asked: ExternalLogIn) -> ExternalBegun:
        """Link who one is at another provider. Raises BadInput for an unknown one, and for an invitation."""
        ...

    @operation("POST /api/v1/users/me/identities/finish", scope=Scope.SELF, timeout=30)
    async def finish_link(self, asked: ExternalAnswer) -> Done:
        """Link it. Raises Unauthenticated for whatever does not fit, Conflict when it is somebody else's."""
        ...

    @operation("POST /api/v1/users/me/log-out-everywhere", scope=Scope.SELF, idempotent=True)
    async def log_out_everywhere(self) -> Done:
        """End all of one's sessions."""
        ...

    @operation("GET /api/v1/users", scope=Scope.USERS_READ)
    async def users(self, query: Page) -> Users:
        """The people of the workspace."""
        ...

    @operation("POST /api/v1/invitations", scope=Scope.USERS_WRITE, keyed=True)
    async def invite(self, asked: Invite) -> Invitation:
        """Invite somebody. Raises Forbidden for a role above one's own."""
        ...

    @operation("PUT /api/v1/users/{user_id}/role", scope=Scope.USERS_WRITE, idempotent=True)
    async def change_role(self, user_id: str, asked: RoleChange) -> User:
        """Give somebody another role. Raises NotFound, Forbidden above one's own, Conflict for the last owner."""
        ...

    @operation("POST /api/v1/users/{user_id}/disable", scope=Scope.USERS_WRITE, idempotent=True)
    async def disable(self, user_id: str) -> User:
        """Shut somebody out, at once. Raises NotFound, Forbidden above one's own role, Conflict for the last owner."""
        ...

    @operation("POST /api/v1/users/{user_id}/enable", scope=Scope.USERS_WRITE, idempotent=True)
    async def enable(self, user_id: str) -> User:
        """Let somebody in again. Raises NotFound, Forbidden above one's own role."""
        ...

    @operation("POST /api/v1/keys", scope=Scope.KEYS_WRITE, keyed=True)
    async def make_key(self, asked: NewKey) -> ApiKey:
        """A key for a program. Raises Forbidden for scopes that one does not hold."""
        ...

    @operation("GET /api/v1/keys", scope=Scope.KEYS_WRITE)
    async def list_keys(self) -> ApiKeys:
        """The keys in force, without the credentials themselves."""
        ...

    @operation("DELETE /api/v1/keys/{key_id}", scope=Scope.KEYS_WRITE, idempotent=True)
    async def revoke_key(self, key_id: str) -> Done:
        """End a key, at once. Raises NotFound."""
        ...

    @operation("GET /api/v1/audit", scope=Scope.AUDIT_READ)
    async def audit(self, query: Page) -> AuditPage:
        """What was done that matters for security."""
        ...
