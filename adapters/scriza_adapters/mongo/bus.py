"""The event bus of one process: brings what the outbox holds to the consumers that are subscribed here.

Several processes may share a database and have the same consumers, or different ones. A document of ``consumers`` says
that a consumer exists and for which topics, so that tellers in any process leave events for it; of the processes with
that consumer, one delivers to it at a time.
"""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from types import TracebackType

import msgspec
import structlog
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Topic
from scriza.kernel.ids import DEFAULT_WORKSPACE, new_id
from scriza.ports.events import Handler
from scriza_adapters.mongo.errors import translated
from scriza_adapters.mongo.outbox import OUTBOX, Row
from scriza_adapters.mongo.relay import CONSUMERS, INBOX, PARKED, BusTimes, Consumer, no_longer_waiting

_log = structlog.get_logger()

BUS_COLLECTIONS = {
    INBOX: [IndexModel([("at", ASCENDING)], expireAfterSeconds=30 * 24 * 3600)],
    PARKED: [IndexModel([("at", ASCENDING)], expireAfterSeconds=30 * 24 * 3600), IndexModel([("lane", ASCENDING)])],
    CONSUMERS: [IndexModel([("seen_at", ASCENDING)])],
}

_RETIRED_AFTER = timedelta(days=7)
_PROCESS_GONE_AFTER = timedelta(minutes=10)
"""Its consumers leave a sign of life every few seconds; clocks of machines may differ by minutes."""


class MongoEventBus:
    """Implements EventBus; runs while it is entered as a context."""

    def __init__(self, database: AsyncDatabase[Row], times: BusTimes | None = None) -> None:
        self._database = database
        self._times = times or BusTimes()
        self._here: dict[str, Consumer] = {}
        self._elsewhere: dict[str, frozenset[str]] = {}
        self._expected: dict[str, frozenset[Topic]] = {}
        self._process = new_id("process")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running = False

    def subscribe(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        """`handler` gets the consumer's events from now on; may be called before the bus runs and while it does."""
        if consumer in self._here:
            raise ValueError(f"the consumer {consumer!r} is subscribed already")
        self._here[consumer] = Consumer(self._database, consumer, topics, handler, self._times)
        if self._running:
            self._start(consumer)

    def subscribe_everywhere(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        """A consumer of this process's own, which ends with it."""
        name = f"{consumer}@{self._process}"
        if name in self._here:
            raise ValueError(f"the consumer {consumer!r} is subscribed already")
        self._here[name] = Consumer(self._database, name, topics, handler, self._times, of_process=True)
        if self._running:
            self._start(name)

    def expect(self, consumer: str, topics: frozenset[Topic]) -> None:
        """Events are kept for this consumer from now on; one that does not come within a week is given up."""
        self._expected[consumer] = topics

    def waiting_for(self, topics: set[Topic]) -> list[str]:
        """The consumers, of this and other processes, that are to hear any of these topics."""
        here = {name: consumer.topics for name, consumer in self._here.items()}
        known: dict[str, frozenset[str]] = {**self._elsewhere, **self._expected, **here}
        return [name for name, wanted in known.items() if not wanted.isdisjoint(topics)]

    def wake(self) -> None:
        """Something has been told: look now."""
        for consumer in self._here.values():
            consumer.wake()

    async def forget_holders(self) -> None:
        """Free every lease; for when no other process can hold one."""
        with translated():
            await self._database[CONSUMERS].update_many({}, {"$set": {"holder": ""}})

    async def __aenter__(self) -> "MongoEventBus":
        await self._call_roll()
        self._running = True
        self._tasks[""] = asyncio.create_task(self._keep_roll(), name="bus-roll")
        for name in self._here:
            self._start(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running = False
        roll = self._tasks.pop("")
        roll.cancel()
        await asyncio.wait([roll])
        for consumer in self._here.values():
            consumer.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=self._times.goodbye)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._tasks.clear()
        for consumer in self._here.values():
            with contextlib.suppress(ScrizaError):
                await consumer.release()

    def _start(self, name: str) -> None:
        self._tasks[name] = asyncio.create_task(self._here[name].run(), name=f"bus-{name}")

    async def _keep_roll(self) -> None:
        while True:
            await asyncio.sleep(self._times.roll_call)
            try:
                await self._call_roll()
            except ScrizaError as error:
                _log.warning("events.roll_failed", reason=error.detail)
            except Exception:
                _log.exception("events.roll_broke")

    async def _call_roll(self) -> None:
        """Learn the consumers of all processes, and stop keeping events for those that nobody has had for a week."""
        consumers, now = self._database[CONSUMERS], datetime.now(UTC)
        with translated():
            for name, topics in self._expected.items():
                new: Row = {"topics": sorted(topics), "seen_at": now, "workspace": DEFAULT_WORKSPACE}
                unheld: Row = {"holder": "", "beat": ""}
                await consumers.update_one({"_id": name}, {"$setOnInsert": new | unheld}, upsert=True)
            present: list[_RollEntry] = []
            for entry in msgspec.convert(await consumers.find({}).to_list(), list[_RollEntry]):
                since = now - (_PROCESS_GONE_AFTER if entry.of_process else _RETIRED_AFTER)
                if entry.seen_at >= since or entry.name in self._here:
                    present.append(entry)
                    continue
                await self._database[OUTBOX].update_many({"waiting": entry.name}, no_longer_waiting(entry.name))
                await consumers.delete_one({"_id": entry.name, "seen_at": {"$lt": since}})
                if not entry.of_process:
                    _log.warning("events.consumer_retired", consumer=entry.name)
        self._elsewhere = {entry.name: frozenset(entry.topics) for entry in present if entry.name not in self._here}


class _RollEntry(msgspec.Struct):
    name: str = msgspec.field(name="_id")
    topics: list[str]
    seen_at: datetime
    of_process: bool = False
