"""The accounts module on the real store, with quick hashes, a clock that a test moves, and letters that it reads."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher

from scriza.kernel.principal import Principal
from scriza.modules.accounts.api_keys import Keys
from scriza.modules.accounts.audit import Audit
from scriza.modules.accounts.documents import ACCOUNT_DOCUMENTS
from scriza.modules.accounts.external import External
from scriza.modules.accounts.factors import Factors
from scriza.modules.accounts.one_time import OneTime
from scriza.modules.accounts.passwords import Passwords
from scriza.modules.accounts.roles import scopes_of
from scriza.modules.accounts.sealing import Seal
from scriza.modules.accounts.service import AccountsService
from scriza.modules.accounts.sessions import Sessions
from scriza.modules.accounts.sign_in import Invited, SignInService
from scriza.modules.accounts.signing import Signing
from scriza.modules.accounts.stored import (
    MongoAuditBook,
    MongoKeyBook,
    MongoOneTimeBook,
    MongoSessionBook,
    MongoSignerBook,
    MongoUserBook,
)
from scriza.ports.accounts import Role, SignUp, Tokens
from scriza.ports.identity_provider import IdentityProvider
from scriza.ports.mail import Letter
from scriza_adapters.mongo.store import MongoStore, StoreOptions, open_store
from scriza_adapters.shared_state.memory import MemorySharedState
from tests.databases import drop

URL = "https://scriza.example"
PASSWORD = "a quiet morning walk"
TOKEN = re.compile(r"scz_[a-z]+_[0-9a-f]+_[0-9a-f]+")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


class Letters:
    """A letter box."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.sent.append(letter)

    def token(self) -> str:
        """The one in the last letter."""
        found = TOKEN.search(self.sent[-1].text)
        assert found
        return found[0]


class AccountsRig:
    """Both ports, and what stands behind them."""

    def __init__(
        self, store: MongoStore, seal: str = "a key", providers: Mapping[str, IdentityProvider] | None = None
    ) -> None:
        self.clock, self.letters, self.state = Clock(), Letters(), MemorySharedState()
        self.users, self.signers = MongoUserBook(store), MongoSignerBook(store)
        clock = self.clock
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        audit_book = MongoAuditBook(store)
        audit = Audit(audit_book, clock)
        self.one_time = OneTime(MongoOneTimeBook(store), clock)
        external = External(providers or {}, self.one_time, Seal(seal))
        self.signing = Signing(self.signers, Seal(seal), URL, clock)
        sessions = Sessions(MongoSessionBook(store), self.users, self.signing, self.state, audit, clock)
        factors = Factors(self.users, Seal(seal), clock)
        shared = (self.users, sessions, self.one_time, passwords, factors, self.signing)
        self.sign_in = SignInService(*shared, self.letters, self.state, audit, external, url=URL, clock=clock)
        keys = Keys(MongoKeyBook(store), clock)
        self.accounts = AccountsService(*shared, keys, self.letters, audit, audit_book, external, url=URL, clock=clock)

    async def joined(self, email: str, role: Role = "owner", workspace: str = "default") -> Tokens:
        """Somebody who has taken an invitation."""
        about = Invited(workspace=workspace, email=email, role=role, by="a test")
        token = await self.one_time.make("invitation", about, timedelta(days=1))
        return await self.sign_in.sign_up(SignUp(token, email.partition("@")[0].title(), PASSWORD))

    async def principal(self, tokens: Tokens) -> Principal:
        """Who the access token makes of its holder."""
        claims = await self.signing.verify(tokens.access_token)
        return Principal(claims.workspace, claims.sub, scopes_of(claims.role))


@asynccontextmanager
async def accounts_rig(
    options: StoreOptions, providers: Mapping[str, IdentityProvider] | None = None
) -> AsyncIterator[AccountsRig]:
    """The rig on a database of its own."""
    async with open_store(options, ACCOUNT_DOCUMENTS) as store:
        rig = AccountsRig(store, providers=providers)
        async with rig.sign_in.running():
            yield rig
        await drop(store.database)
