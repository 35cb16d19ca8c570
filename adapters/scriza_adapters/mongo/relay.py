"""The relay to one consumer: holds its lease, fetches what waits for it, hands it over in order, and notes it.

``inbox`` holds what each consumer has dealt with, so that an event that is told again is not delivered again. The note
follows the handler's success: a process that dies between the two delivers once more, which a handler rules out for
itself with `UnitOfWork.receive`.

An event that its handler fails on again and again, for no reason that passes, goes to ``parked_events``: those behind
it go on, and it waits there for somebody to look at it.

The lease is a document of ``consumers``. Its holder leaves a new `beat` in it again and again; whoever has watched the
same beat for a whole lease's time takes over, by an update that is conditional on that beat. So no two machines need to
agree on the time.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from bson import ObjectId
from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase

from scriza.kernel.errors import Conflict, DeadlineExceeded, RateLimited, ScrizaError, Unavailable, UpstreamFailed
from scriza.kernel.events import Event, Topic
from scriza.kernel.group_commit import GroupCommit
from scriza.kernel.ids import DEFAULT_WORKSPACE, new_id
from scriza.kernel.principal import Principal, acting
from scriza.ports.events import Handler
from scriza_adapters.mongo.errors import translated
from scriza_adapters.mongo.outbox import OUTBOX, Row, Telling, insert_once, lane_of, telling

_log = structlog.get_logger()

CONSUMERS = "consumers"
INBOX = "inbox"
PARKED = "parked_events"

_PASSES = (Conflict, DeadlineExceeded, RateLimited, Unavailable, UpstreamFailed)
"""What is no fault of the event's: it is tried for as long as that lasts."""


class BusTimes(msgspec.Struct, frozen=True):
    """The bus's patience, in seconds."""

    lease: float = 10.0
    """A holder that does not renew for so long is taken to be dead."""
    gather: float = 0.1
    """What is told within so short a time is delivered together, which costs the store a fraction."""
    poll: float = 1.0
    """How soon events of other processes are seen; those of this process after `gather`."""
    handler: float = 30.0
    """A handler that takes longer has failed."""
    first_pause: float = 0.2
    longest_pause: float = 60.0
    """A lane whose event fails waits, twice as long each time, up to this."""
    most_failures: int = 10
    """An event that has failed so often for no reason that passes is parked: after two minutes, by these pauses."""
    roll_call: float = 5.0
    """How often the consumers of other processes are looked up."""
    goodbye: float = 5.0
    """How long handlers at work may take to end when the bus is closed."""


class _Lease(msgspec.Struct, frozen=True):
    holder: str
    beat: str


class _Note(msgspec.Struct, frozen=True):
    """What of a row the consumer has dealt with; `whole` says that nothing of it is left."""

    row: ObjectId
    heard: list[Event]
    whole: bool


class _Setback(msgspec.Struct):
    """A lane whose first event failed."""

    failures: int = 0
    faults: int = 0
    """Those for no reason that passes."""
    until: float = 0.0


class Consumer:
    """Delivers to one handler: lanes side by side, each in order."""

    _LANES = 32
    """So many lanes' handlers run at a time."""
    _ROWS = 1000
    """So many rows are fetched at a time: the embedded server's work grows with what waits, not with what is asked."""
    _SETBACKS = 1000

    def __init__(
        self,
        database: AsyncDatabase[Row],
        name: str,
        topics: frozenset[Topic],
        handler: Handler,
        times: BusTimes,
        *,
        of_process: bool = False,
    ) -> None:
        self.name = name
        self.topics = topics
        self.of_process = of_process
        """Nobody else has this consumer, and nobody will when this process is gone."""
        self._handler = handler
        self._times = times
        self._outbox = database[OUTBOX]
        self._inbox = database[INBOX]
        self._consumers = database[CONSUMERS]
        self._parked = database[PARKED]
        self._me = new_id("bus")
        self._held_until = 0.0
        self._watched = _Lease("", "")
        self._watched_since = 0.0
        self._busy: set[str] = set()
        self._setbacks: dict[str, _Setback] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._room = asyncio.Semaphore(self._LANES)
        self._notes = GroupCommit(self._write_notes)

    def wake(self) -> None:
        """Look for what waits."""
        self._woken.set()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when the handlers that are at work have ended."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Until stopped. What no handler is to blame for is logged, and begun anew after a pause."""
        while not self._stopping:
            try:
                await self._relay()
            except Exception:
                _log.exception("events.relay_broke", consumer=self.name)
                self._busy.clear()
                await asyncio.sleep(self._times.poll)

    async def _relay(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            lease = tasks.create_task(self._keep_lease())
            while not self._stopping:
                self._woken.clear()
                if self._holds():
                    try:
                        await self._begin_deliveries(tasks)
                    except ScrizaError as error:
                        _log.warning("events.relay_failed", consumer=self.name, reason=error.detail)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._times.poll):
                        await self._woken.wait()
                        await asyncio.sleep(self._times.gather)
            lease.cancel()

    async def release(self) -> None:
        """Let another process take over at once; what is this process's own ends with it."""
        self._held_until = 0.0
        with translated():
            if self.of_process:
                await self._outbox.update_many({"waiting": self.name}, no_longer_waiting(self.name))
                await self._consumers.delete_one({"_id": self.name})
                return
            await self._consumers.update_one({"_id": self.name, "holder": self._me}, {"$set": {"holder": ""}})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _holds(self) -> bool:
        return self._now() < self._held_until

    async def _keep_lease(self) -> None:
        """Register, then take the lease when it is free and renew it in time."""
        registered = False
        while True:
            try:
                if not registered:
                    await self._register()
                    registered = True
                held, asked = self._holds(), self._now()
                if await self._take(asked):
                    self._held_until = asked + self._times.lease * 0.9
                    if not held:
                        _log.info("events.relaying", consumer=self.name)
                        self.wake()
            except ScrizaError as error:
                _log.warning("events.lease_failed", consumer=self.name, reason=error.detail)
            await asyncio.sleep(self._times.lease * 0.3)

    async def _register(self) -> None:
        entry: Row = {"topics": sorted(self.topics), "seen_at": datetime.now(UTC), "workspace": DEFAULT_WORKSPACE}
        if self.of_process:
            entry["of_process"] = True
        unheld = {"holder": "", "beat": ""}
        with translated():
            await self._consumers.update_one({"_id": self.name}, {"$set": entry, "$setOnInsert": unheld}, upsert=True)

    async def _take(self, now: float) -> bool:
        """Renew the lease, or take it from nobody or from a holder that has been still for the whole of it."""
        with translated():
            row = await self._consumers.find_one({"_id": self.name}, {"holder": 1, "beat": 1})
            if row is None:
                await self._register()
                return False
            lease = msgspec.convert(row, _Lease)
            if lease != self._watched:
                self._watched, self._watched_since = lease, now
            if lease.holder not in ("", self._me) and now - self._watched_since < self._times.lease:
                return False
            taken = await self._consumers.update_one(
                {"_id": self.name, "holder": lease.holder, "beat": lease.beat},
                {"$set": {"holder": self._me, "beat": new_id("beat"), "seen_at": datetime.now(UTC)}},
            )
        return taken.matched_count == 1

    async def _begin_deliveries(self, tasks: asyncio.TaskGroup) -> None:
        """Start on the lanes that have something waiting and are neither busy nor set back."""
        now = self._now()
        resting = [lane for lane, setback in self._setbacks.items() if setback.until > now]
        if len(self._busy) >= self._LANES or len(resting) >= self._SETBACKS:
            return
        query: Row = {"waiting": self.name}
        if self._busy or resting:
            query["lane"] = {"$nin": [*self._busy, *resting]}
        with translated():
            rows = await self._outbox.find(query).sort("order", ASCENDING).limit(self._ROWS).to_list()
        lanes: dict[str, list[Telling]] = {}
        for row in rows:
            told = telling(row)
            lanes.setdefault(told.lane, []).append(told)
        heard = await self._heard([event for tellings in lanes.values() for told in tellings for event in told.events])
        for lane, tellings in lanes.items():
            self._busy.add(lane)
            tasks.create_task(self._deliver(lane, tellings, heard))

    async def _heard(self, events: Sequence[Event]) -> set[str]:
        keys = [_inbox_key(self.name, event) for event in events]
        if not keys:
            return set()
        with translated():
            return {str(row["_id"]) for row in await self._inbox.find({"_id": {"$in": keys}}, {"_id": 1}).to_list()}

    async def _deliver(self, lane: str, tellings: Sequence[Telling], heard: set[str]) -> None:
        """Hand over one lane's rows, one after the other, until one fails; note each before the next."""
        try:
            async with self._room:
                for told in tellings:
                    if not await self._deliver_row(lane, told, heard):
                        return
            self._setbacks.pop(lane, None)
        except ScrizaError as error:
            _log.warning("events.relay_failed", consumer=self.name, reason=error.detail)
            self._setbacks.setdefault(lane, _Setback()).until = self._now() + self._times.poll
        finally:
            self._busy.discard(lane)
            self.wake()

    async def _deliver_row(self, lane: str, told: Telling, heard: set[str]) -> bool:
        """False when the row could not be brought to its end."""
        done: list[Event] = []
        for event in told.events:
            key = _inbox_key(self.name, event)
            if event.type not in self.topics or key in heard:
                continue
            if self._stopping or not self._holds() or not await self._hand_over(lane, event):
                await self._notes.add(_Note(told.id, done, whole=False))
                return False
            self._setbacks.pop(lane, None)
            done.append(event)
            heard.add(key)
        await self._notes.add(_Note(told.id, done, whole=True))
        return True

    async def _hand_over(self, lane: str, event: Event) -> bool:
        """The shell around foreign code: whatever it raises, it is logged, and the event is delivered again."""
        try:
            principal = Principal(workspace=event.workspace, subject=f"consumer:{self.name}")
            with acting(principal, request_id=event.request_id, call_id=event.call_id):
                async with asyncio.timeout(self._times.handler):
                    await self._handler(event)
        except Exception as error:
            setback = self._setbacks.setdefault(lane, _Setback())
            setback.failures += 1
            setback.faults += not isinstance(error, _PASSES)
            if setback.faults >= self._times.most_failures:
                await self._park(event, error)
                return True
            self._set_back(setback, event, error)
            return False
        return True

    async def _park(self, event: Event, error: Exception) -> None:
        """Put the event aside, where it can be looked at; its consumer goes on without it."""
        parked = {
            "workspace": event.workspace,
            "consumer": self.name,
            "topic": event.type.value,
            "lane": lane_of(event.workspace, event.subject),
            "event": msgspec.json.encode(event).decode(),
            "error": type(error).__name__,
            "at": datetime.now(UTC),
        }
        with translated():
            await self._parked.update_one({"_id": _inbox_key(self.name, event)}, {"$set": parked}, upsert=True)
        _log.error(
            "events.parked",
            consumer=self.name,
            event_id=event.id,
            topic=event.type.value,
            error=type(error).__name__,
            cure="mend what the consumer fails on, then have the event delivered again",
        )

    def _set_back(self, setback: _Setback, event: Event, error: Exception) -> None:
        pause = min(self._times.first_pause * 2 ** min(setback.failures - 1, 20), self._times.longest_pause)
        setback.until = self._now() + pause
        asyncio.get_running_loop().call_later(pause, self.wake)
        _log.warning(
            "events.handler_failed",
            consumer=self.name,
            event_id=event.id,
            topic=event.type.value,
            error=type(error).__name__,
            failures=setback.failures,
            next_try_s=pause,
        )

    async def _write_notes(self, notes: Sequence[_Note]) -> None:
        """The inbox first: a row that goes on waiting is looked up there before it is delivered again."""
        now = datetime.now(UTC)
        heard = [inbox_row(self.name, event, now) for note in notes for event in note.heard]
        whole = [note.row for note in notes if note.whole]
        with translated():
            if heard:
                await insert_once(self._inbox, heard)
            if whole:
                await self._outbox.update_many({"_id": {"$in": whole}}, no_longer_waiting(self.name))


def _inbox_key(consumer: str, event: Event) -> str:
    return f"{consumer}/{event.id}"


def inbox_row(consumer: str, event: Event, at: datetime) -> Row:
    """The note that the consumer has dealt with the event; its `_id` makes it unique."""
    return {
        "_id": _inbox_key(consumer, event),
        "workspace": event.workspace,
        "consumer": consumer,
        "event_id": event.id,
        "at": at,
    }


def no_longer_waiting(consumer: str) -> list[Row]:
    """Strike the consumer from rows.

    As a pipeline, so that the last consumer's note and the time from which the row expires are one change.
    """
    done = {"$cond": [{"$eq": ["$waiting", []]}, "$$NOW", "$$REMOVE"]}
    return [{"$set": {"waiting": {"$setDifference": ["$waiting", [consumer]]}}}, {"$set": {"done_at": done}}]
