"""What accounts keep: records, and the books that hold them. `stored.py` keeps them in the store."""

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from scriza.ports.accounts import AuditEntry, Role

TokenKind = Literal["invitation", "reset", "challenge", "oidc"]


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person. `email` is in lower case."""

    user_id: str
    workspace: str
    email: str
    name: str
    role: Role
    created_at: datetime
    password: str = ""
    """Its hash; empty for who logs in elsewhere only."""
    disabled: bool = False
    factor: bytes = b""
    """The authenticator's secret, sealed."""
    factor_confirmed: bool = False
    factor_step: int = 0
    """The time step of the last code that was taken: a code is good once."""
    recovery: list[str] = []
    """Digests of the recovery codes that are left."""
    identities: list[str] = []
    """Who they are elsewhere: issuer and subject."""
    version: int = 0

    def __repr__(self) -> str:
        return f"UserRecord({self.user_id})"


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A session, and the family of its refresh tokens."""

    session_id: str
    user_id: str
    workspace: str
    digest: str
    """Of the refresh token that is good."""
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    """Unless it is refreshed before."""
    ends_at: datetime
    """However often it is refreshed."""


class OneTimeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a token opens once."""

    kind: TokenKind
    id: str
    digest: str
    expires_at: datetime
    about: bytes
    """JSON of what it is for."""
    tries: int = 0


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A program's key."""

    key_id: str
    workspace: str
    name: str
    digest: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class SignerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key, sealed."""

    kid: str
    sealed: bytes
    created_at: datetime


class UserBook(Protocol):
    """People."""

    async def add(self, user: UserRecord) -> None:
        """Raises Conflict when there is an account with this address."""
        ...

    async def by_id(self, user_id: str) -> UserRecord | None:
        """One."""
        ...

    async def by_email(self, email: str) -> UserRecord | None:
        """One."""
        ...

    async def by_identity(self, identity: str) -> UserRecord | None:
        """One."""
        ...

    async def of(self, workspace: str, limit: int, after: str) -> list[UserRecord]:
        """By id, those behind `after`."""
        ...

    async def owners(self, workspace: str) -> int:
        """How many are not disabled."""
        ...

    async def change(self, old: UserRecord, new: UserRecord) -> bool:
        """Put `new` in the place of `old`; False when somebody else has changed it meanwhile.

        Raises Conflict when one of its identities is another account's.
        """
        ...

    async def any(self) -> bool:
        """Whether there is anybody at all."""
        ...


class SessionBook(Protocol):
    """Sessions."""

    async def open(self, session: SessionRecord) -> None:
        """Keep a new one."""
        ...

    async def find(self, session_id: str) -> SessionRecord | None:
        """One that has not been ended."""
        ...

    async def rotate(self, session: SessionRecord, digest: str, at: datetime, expires_at: datetime) -> bool:
        """Put a new refresh token in the place of the one in `session`; False when another request was faster."""
        ...

    async def end(self, session_id: str) -> bool:
        """Forget it."""
        ...

    async def end_all(self, user_id: str, but: str = "") -> list[str]:
        """Forget all of a person's but one; returns their ids."""
        ...


class OneTimeBook(Protocol):
    """Tokens that are good once."""

    async def put(self, token: OneTimeRecord) -> None:
        """Keep a new one."""
        ...

    async def find(self, kind: TokenKind, id_: str) -> OneTimeRecord | None:
        """One that is good, not yet taken."""
        ...

    async def take(self, token: OneTimeRecord) -> bool:
        """True for the one caller who takes it."""
        ...

    async def failed(self, token: OneTimeRecord) -> int:
        """Count a try that was wrong; returns how many there were."""
        ...


class KeyBook(Protocol):
    """Programs' keys."""

    async def add(self, key: KeyRecord) -> None:
        """Keep a new one."""
        ...

    async def find(self, key_id: str) -> KeyRecord | None:
        """One that is not revoked."""
        ...

    async def of(self, workspace: str) -> list[KeyRecord]:
        """Those of a workspace."""
        ...

    async def used(self, key_id: str, at: datetime) -> None:
        """Note when it was used."""
        ...

    async def revoke(self, workspace: str, key_id: str) -> bool:
        """Forget it."""
        ...


class SignerBook(Protocol):
    """Signing keys of all processes."""

    async def newest(self, limit: int) -> list[SignerRecord]:
        """Newest first."""
        ...

    async def add(self, signer: SignerRecord, after: str) -> bool:
        """Add a key behind the one that was newest; False when another process has added one."""
        ...


class AuditBook(Protocol):
    """What was done."""

    async def add(self, workspace: str, entry: AuditEntry) -> None:
        """Keep it."""
        ...

    async def page(self, workspace: str, limit: int, cursor: str) -> tuple[list[AuditEntry], str]:
        """Newest first, and the next page's cursor."""
        ...
