"""The store: a client of the database, its transactions, and what lives on them."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import pymongo
import structlog
from beanie import Document, init_beanie
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError

from scriza.kernel.errors import Conflict, ScrizaError, Unavailable
from scriza.kernel.events import Event
from scriza_adapters.mongo.bus import BUS_COLLECTIONS, MongoEventBus
from scriza_adapters.mongo.embedded import EmbeddedServer
from scriza_adapters.mongo.errors import TRANSIENT, UNKNOWN_COMMIT, translated
from scriza_adapters.mongo.outbox import OUTBOX, OUTBOX_INDEXES, Client, Outbox, Row, Rows
from scriza_adapters.mongo.relay import INBOX, BusTimes, inbox_row
from scriza_adapters.mongo.supervision import running

_log = structlog.get_logger()

T = TypeVar("T")

_OPERATION_MS = 5000
"""Deadline of a single operation, finding the server included."""
_UNIT_SECONDS = 10.0
"""Deadline of a unit of work with all its repetitions: long enough for a dead embedded server to be back."""
_LEAST_SECONDS = 0.01
"""What the driver is told when that is over: it refuses a deadline in the past."""
_INDEX_SECONDS = 300.0
_ILLEGAL_OPERATION = 20
_NOT_LET_IN = frozenset({13, 18})
_TOO_LONG_A_CONFLICT = 2.0
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25


class StoreOptions(msgspec.Struct, frozen=True):
    """Where the store is: at `url` (a replica set), or embedded in `data_dir` when that is empty.

    `database` is the name of the database; empty takes the one that the URL names, or ``scriza``. `answer_within` says
    for how many seconds the server may be silent when the store is opened.
    """

    data_dir: Path
    url: str = ""
    database: str = ""
    bus: BusTimes = BusTimes()
    answer_within: float = 10.0


class Unit:
    """One open transaction; implements UnitOfWork."""

    def __init__(self, session: AsyncClientSession, store: "MongoStore") -> None:
        self._session = session
        self._store = store
        self.told = False

    @property
    def session(self) -> AsyncClientSession:
        """The driver's session."""
        return self._session

    async def publish(self, *events: Event) -> None:
        """Write events to the outbox, in this transaction."""
        await self._store.outbox.publish_in(self._session, events)
        self.told = self.told or bool(events)

    async def receive(self, consumer: str, event: Event) -> bool:
        """Note in this transaction that the consumer has dealt with the event; False when it already had."""
        inbox, row = self._store.database[INBOX], inbox_row(consumer, event, datetime.now(UTC))
        if await inbox.find_one({"_id": row["_id"]}, session=self._session) is not None:
            return False
        try:
            await inbox.insert_one(row, session=self._session)
        except DuplicateKeyError as error:
            raise Conflict("the event is being dealt with elsewhere") from error
        return True


class MongoStore:
    """Implements Store. `outbox` is the Publisher, `bus` the EventBus; `database` is for adapters and tests."""

    def __init__(
        self, client: Client, database: AsyncDatabase[Row], times: BusTimes | None = None, *, embedded: bool = False
    ) -> None:
        self._client = client
        self._embedded = embedded
        self.database = database
        self.bus = MongoEventBus(database, times)
        self.outbox = Outbox(database[OUTBOX], Rows(self.bus.waiting_for), self.bus.wake)

    def errors(self) -> AbstractContextManager[None]:
        """The driver's errors inside are raised as Conflict, Unavailable and DeadlineExceeded."""
        return translated()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        """One transaction, tried once."""
        with translated():
            async with self._attempt() as unit:
                yield unit

    async def run(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Do `work` in a transaction, again after transient conflicts and lost connections, for 10 s in all."""
        loop = asyncio.get_running_loop()
        began, pause, freed = loop.time(), _FIRST_PAUSE, not self._embedded
        deadline = began + _UNIT_SECONDS
        while True:
            try:
                with translated(), pymongo.timeout(max(_LEAST_SECONDS, deadline - loop.time())):
                    async with self._attempt() as unit:
                        return await work(unit)
            except (Conflict, Unavailable) as error:
                if not isinstance(error.__cause__, PyMongoError) or loop.time() + pause >= deadline:
                    raise
                if isinstance(error, Conflict) and not freed and loop.time() - began > _TOO_LONG_A_CONFLICT:
                    freed = True
                    with contextlib.suppress(ScrizaError):
                        await self._end_transactions()
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads repetitions, keeps no secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _end_transactions(self) -> None:
        """End all that are open in the embedded server: the one in our way is that of a process that was killed.

        The server would wait a minute for it. Those of the living are begun again by their `run`.
        """
        _log.warning("store.transactions_ended")
        with translated():
            await self._client.admin.command("killAllSessions", [])

    @contextlib.asynccontextmanager
    async def _attempt(self) -> AsyncIterator[Unit]:
        async with self._client.start_session() as session:
            await session.start_transaction()
            unit = Unit(session, self)
            try:
                yield unit
            except BaseException:
                await session.abort_transaction()
                raise
            await _commit(session)
            if unit.told:
                self.bus.wake()

    async def ping(self) -> None:
        """Raises Unavailable or DeadlineExceeded when the store does not answer now."""
        with translated(), pymongo.timeout(2):
            await self._client.admin.command("ping")


async def _commit(session: AsyncClientSession) -> None:
    """Commit, and ask again while it is not known whether that was done: a commit may be repeated."""
    for attempt in range(3):
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            last = attempt == 2
            if last or not error.has_error_label(UNKNOWN_COMMIT) or error.has_error_label(TRANSIENT):
                raise
        else:
            return


@contextlib.asynccontextmanager
async def open_store(options: StoreOptions, documents: Sequence[type[Document]]) -> AsyncIterator[MongoStore]:
    """The store, ready: server started or found, documents bound to it, indexes made, relay running.

    beanie binds documents for the whole process, so one store is open in it at a time. Raises Unavailable, with what to
    do about it.
    """
    async with contextlib.AsyncExitStack() as stack:
        url, left_over = options.url, False
        if not url:
            attachment = await stack.enter_async_context(running(EmbeddedServer(options.data_dir)))
            url, left_over = attachment.url, attachment.alone
        client = _client(url)
        stack.push_async_callback(client.close)
        database = client[options.database or client.get_default_database("scriza").name]
        with translated(), pymongo.timeout(_INDEX_SECONDS):
            await _greet(client, database, options.answer_within)
            if left_over:
                await client.admin.command("killAllSessions", [])
            store = MongoStore(client, database, options.bus, embedded=not options.url)
            await _bind(database, documents)
        if left_over:
            await store.bus.forget_holders()
        await stack.enter_async_context(store.bus)
        yield store


def _client(url: str) -> Client:
    try:
        return AsyncMongoClient(url, tz_aware=True, appname="scriza", timeoutMS=_OPERATION_MS, maxPoolSize=32)
    except (ConfigurationError, ValueError) as error:
        raise Unavailable(
            "SCRIZA_MONGO_URL is not a MongoDB URL: it begins with mongodb:// or mongodb+srv://"
        ) from error


async def _greet(client: Client, database: AsyncDatabase[Row], patience: float) -> None:
    """Find out, with a sentence for each case, whether there is a server that lets us in and has transactions."""
    try:
        with pymongo.timeout(patience):
            try:
                await _transact(client, database)
            except OperationFailure as error:
                if not error.has_error_label(TRANSIENT):
                    raise
                # Another process that starts now has just ended what was open in the server.
                await _transact(client, database)
    except OperationFailure as error:
        if error.code == _ILLEGAL_OPERATION:
            raise Unavailable(
                f"the MongoDB at {_hosts(client)} is a standalone server, which has no transactions: "
                "start it with --replSet and run rs.initiate() once"
            ) from error
        if error.code in _NOT_LET_IN:
            raise Unavailable("MongoDB refuses the name or password in SCRIZA_MONGO_URL") from error
        raise
    except ConnectionFailure as error:
        raise Unavailable(
            f"no MongoDB answers at {_hosts(client)}: is it running, is SCRIZA_MONGO_URL right?"
        ) from error


async def _transact(client: Client, database: AsyncDatabase[Row]) -> None:
    async with client.start_session() as session, await session.start_transaction():
        await database[OUTBOX].find_one({"_id": None}, session=session)


def _hosts(client: Client) -> str:
    return ", ".join(f"{host}:{port}" for host, port in client.topology_description.server_descriptions())


async def _bind(database: AsyncDatabase[Row], documents: Sequence[type[Document]]) -> None:
    await init_beanie(database=database, document_models=list(documents))
    await database[OUTBOX].create_indexes(OUTBOX_INDEXES)
    for name, indexes in BUS_COLLECTIONS.items():
        await database[name].create_indexes(indexes)
