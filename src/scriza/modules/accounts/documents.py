"""The collections of accounts."""

from datetime import datetime

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

Session = AsyncClientSession
AlreadyThere = DuplicateKeyError


class Account(Document):
    """A person."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    email: str
    name: str
    role: str
    created_at: datetime
    password: str
    disabled: bool
    factor: bytes
    factor_confirmed: bool
    factor_step: int
    recovery: list[str]
    identities: list[str]
    version: int

    class Settings:
        """Found by address and by who they are elsewhere; both are unique."""

        name = "users"
        indexes = [
            IndexModel([("email", ASCENDING)], unique=True),
            IndexModel([("workspace", ASCENDING), ("_id", ASCENDING)]),
            IndexModel(
                [("identities", ASCENDING)],
                unique=True,
                partialFilterExpression={"identities.0": {"$exists": True}},
            ),
        ]


class LoginSession(Document):
    """A session."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    user_id: str
    workspace: str
    digest: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    ends_at: datetime

    class Settings:
        """Forgotten when it has expired."""

        name = "sessions"
        indexes = [
            IndexModel([("user_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


class OneTimeToken(Document):
    """A token that is good once."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    kind: str
    digest: str
    about: bytes
    tries: int
    expires_at: datetime

    class Settings:
        """Forgotten when it has expired."""

        name = "one_time_tokens"
        indexes = [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]


class ProgramKey(Document):
    """A program's key."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    name: str
    digest: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    class Settings:
        """Forgotten when it has expired."""

        name = "api_keys"
        indexes = [
            IndexModel([("workspace", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


class Signer(Document):
    """A signing key, sealed. `number` is unique, so that two processes do not both add the next one."""

    id: int = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    kid: str
    sealed: bytes
    created_at: datetime

    class Settings:
        """A handful."""

        name = "signing_keys"


class AuditLine(Document):
    """One act. Its id rises with time."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    at: datetime
    act: str
    actor: str
    target: str
    request_id: str
    outcome: str

    class Settings:
        """Paged by id; insert-only."""

        name = "audit_log"
        indexes = [IndexModel([("workspace", ASCENDING), ("_id", DESCENDING)])]


ACCOUNT_DOCUMENTS = (Account, LoginSession, OneTimeToken, ProgramKey, Signer, AuditLine)
