"""The books of accounts in the store. Every change is one conditional write, so that of two one wins."""

import contextlib
from datetime import datetime

import msgspec

from scriza.kernel.errors import Conflict
from scriza.kernel.ids import new_id
from scriza.modules.accounts.books import (
    KeyRecord,
    OneTimeRecord,
    SessionRecord,
    SignerRecord,
    TokenKind,
    UserRecord,
)
from scriza.modules.accounts.documents import (
    Account,
    AlreadyThere,
    AuditLine,
    LoginSession,
    OneTimeToken,
    ProgramKey,
    Session,
    Signer,
)
from scriza.ports.accounts import AuditEntry
from scriza.ports.store import Store


class MongoUserBook:
    """Implements UserBook."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def add(self, user: UserRecord) -> None:
        """See UserBook."""
        fields = msgspec.structs.asdict(user)
        with self._store.errors():
            try:
                await Account(_id=fields.pop("user_id"), **fields).insert()
            except AlreadyThere:
                raise Conflict("there is an account with this address") from None

    async def by_id(self, user_id: str) -> UserRecord | None:
        """See UserBook."""
        return await self._one({"_id": user_id})

    async def by_email(self, email: str) -> UserRecord | None:
        """See UserBook."""
        return await self._one({"email": email})

    async def by_identity(self, identity: str) -> UserRecord | None:
        """See UserBook."""
        return await self._one({"identities": identity})

    async def _one(self, which: dict[str, object]) -> UserRecord | None:
        with self._store.errors():
            found = await Account.find_one(which)
        return None if found is None else _user(found)

    async def of(self, workspace: str, limit: int, after: str) -> list[UserRecord]:
        """See UserBook."""
        which = {"workspace": workspace, "_id": {"$gt": after}}
        with self._store.errors():
            return [_user(found) for found in await Account.find(which).sort("_id").limit(limit).to_list()]

    async def owners(self, workspace: str) -> int:
        """See UserBook."""
        with self._store.errors():
            return await Account.find({"workspace": workspace, "role": "owner", "disabled": False}).count()

    async def change(self, old: UserRecord, new: UserRecord) -> bool:
        """See UserBook."""
        fields = msgspec.structs.asdict(msgspec.structs.replace(new, version=old.version + 1))
        which = {"_id": fields.pop("user_id"), "version": old.version}
        with self._store.errors():
            try:
                done = await Account.get_pymongo_collection().update_one(which, {"$set": fields})
            except AlreadyThere:
                raise Conflict("this identity is linked to another account") from None
        return done.matched_count == 1

    async def any(self) -> bool:
        """See UserBook."""
        with self._store.errors():
            return await Account.find_one() is not None


class MongoSessionBook:
    """Implements SessionBook."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def open(self, session: SessionRecord) -> None:
        """See SessionBook."""
        fields = msgspec.structs.asdict(session)
        with self._store.errors():
            await LoginSession(_id=fields.pop("session_id"), **fields).insert()

    async def find(self, session_id: str) -> SessionRecord | None:
        """See SessionBook."""
        with self._store.errors():
            found = await LoginSession.find_one({"_id": session_id})
        if found is None:
            return None
        return SessionRecord(session_id=found.id, **found.model_dump(exclude={"id", "revision_id"}))

    async def rotate(self, session: SessionRecord, digest: str, at: datetime, expires_at: datetime) -> bool:
        """See SessionBook."""
        which = {"_id": session.session_id, "digest": session.digest}
        changes = {"digest": digest, "used_at": at, "expires_at": expires_at}
        with self._store.errors():
            done = await LoginSession.get_pymongo_collection().update_one(which, {"$set": changes})
        return done.matched_count == 1

    async def end(self, session_id: str) -> bool:
        """See SessionBook."""
        with self._store.errors():
            done = await LoginSession.get_pymongo_collection().delete_one({"_id": session_id})
        return done.deleted_count == 1

    async def end_all(self, user_id: str, but: str = "") -> list[str]:
        """See SessionBook."""
        which = {"user_id": user_id, "_id": {"$ne": but}}
        with self._store.errors():
            ended = [found.id for found in await LoginSession.find(which).to_list()]
            await LoginSession.get_pymongo_collection().delete_many(which)
        return ended


class MongoOneTimeBook:
    """Implements OneTimeBook."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def put(self, token: OneTimeRecord) -> None:
        """See OneTimeBook."""
        fields = msgspec.structs.asdict(token)
        with self._store.errors():
            await OneTimeToken(_id=fields.pop("id"), **fields).insert()

    async def find(self, kind: TokenKind, id_: str) -> OneTimeRecord | None:
        """See OneTimeBook."""
        with self._store.errors():
            found = await OneTimeToken.find_one({"_id": id_, "kind": kind})
        if found is None:
            return None
        return OneTimeRecord(kind=kind, id=found.id, **found.model_dump(exclude={"id", "kind", "revision_id"}))

    async def take(self, token: OneTimeRecord) -> bool:
        """See OneTimeBook."""
        which = {"_id": token.id, "digest": token.digest}
        with self._store.errors():
            done = await OneTimeToken.get_pymongo_collection().delete_one(which)
        return done.deleted_count == 1

    async def failed(self, token: OneTimeRecord) -> int:
        """See OneTimeBook."""
        with self._store.errors():
            await OneTimeToken.get_pymongo_collection().update_one({"_id": token.id}, {"$inc": {"tries": 1}})
            found = await OneTimeToken.find_one({"_id": token.id})
        return token.tries + 1 if found is None else found.tries


class MongoKeyBook:
    """Implements KeyBook."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def add(self, key: KeyRecord) -> None:
        """See KeyBook."""
        fields = msgspec.structs.asdict(key)
        with self._store.errors():
            await ProgramKey(_id=fields.pop("key_id"), **fields).insert()

    async def find(self, key_id: str) -> KeyRecord | None:
        """See KeyBook."""
        with self._store.errors():
            found = await ProgramKey.find_one({"_id": key_id})
        return None if found is None else _key(found)

    async def of(self, workspace: str) -> list[KeyRecord]:
        """See KeyBook."""
        with self._store.errors():
            return [_key(found) for found in await ProgramKey.find({"workspace": workspace}).sort("_id").to_list()]

    async def used(self, key_id: str, at: datetime) -> None:
        """See KeyBook."""
        with self._store.errors():
            await ProgramKey.get_pymongo_collection().update_one({"_id": key_id}, {"$max": {"used_at": at}})

    async def revoke(self, workspace: str, key_id: str) -> bool:
        """See KeyBook."""
        which = {"_id": key_id, "workspace": workspace}
        with self._store.errors():
            done = await ProgramKey.get_pymongo_collection().delete_one(which)
        return done.deleted_count == 1


class MongoSignerBook:
    """Implements SignerBook."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def newest(self, limit: int) -> list[SignerRecord]:
        """See SignerBook."""
        with self._store.errors():
            found = await Signer.find().sort("-_id").limit(limit).to_list()
        return [SignerRecord(kid=one.kid, sealed=one.sealed, created_at=one.created_at) for one in found]

    async def add(self, signer: SignerRecord, after: str) -> bool:
        """See SignerBook."""
        with self._store.errors():
            newest = await Signer.find().sort("-_id").limit(1).to_list()
            if (newest[0].kid if newest else "") != after:
                return False
            number = newest[0].id + 1 if newest else 1
            with contextlib.suppress(AlreadyThere):
                await Signer(_id=number, **msgspec.structs.asdict(signer)).insert()
                return True
        return False


class MongoAuditBook:
    """Implements AuditBook."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def add(self, workspace: str, entry: AuditEntry) -> None:
        """See AuditBook."""
        rising = f"{int(entry.at.timestamp() * 1_000_000):017d}-{new_id('act')}"
        with self._store.errors():
            await AuditLine(_id=rising, workspace=workspace, **msgspec.structs.asdict(entry)).insert()

    async def page(self, workspace: str, limit: int, cursor: str) -> tuple[list[AuditEntry], str]:
        """See AuditBook."""
        which: dict[str, object] = {"workspace": workspace} | ({"_id": {"$lt": cursor}} if cursor else {})
        with self._store.errors():
            found = await AuditLine.find(which).sort("-_id").limit(limit + 1).to_list()
        entries = [
            msgspec.convert(line.model_dump(exclude={"id", "workspace", "revision_id"}), AuditEntry)
            for line in found[:limit]
        ]
        return entries, found[limit - 1].id if len(found) > limit else ""


def _user(found: Account) -> UserRecord:
    return msgspec.convert({"user_id": found.id, **found.model_dump(exclude={"id", "revision_id"})}, UserRecord)


def _key(found: ProgramKey) -> KeyRecord:
    return KeyRecord(key_id=found.id, **found.model_dump(exclude={"id", "revision_id"}))
