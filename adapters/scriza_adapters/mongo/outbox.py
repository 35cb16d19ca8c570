"""The outbox: what has been told, kept with the change it tells of until every consumer has heard it.

One document holds what one unit of work tells about one subject, so that a turn's events cost one write and their order
needs no arithmetic:

- ``lane``: workspace and subject; events of one lane are delivered in order;
- ``order``: microseconds of the wall clock, made strictly rising in each process;
- ``waiting``: names of the consumers that have not heard it yet; ``done_at`` is set when the last one has;
- ``events``: the events' JSON, as they were told.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import structlog
from bson import ObjectId
from pymongo import ASCENDING, AsyncMongoClient, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Event, Topic
from scriza.kernel.group_commit import GroupCommit
from scriza_adapters.mongo.errors import only_duplicates, translated

_log = structlog.get_logger()

T = TypeVar("T")
Row = dict[str, object]
Collection = AsyncCollection[Row]
Client = AsyncMongoClient[Row]

OUTBOX = "outbox"
OUTBOX_INDEXES = [
    IndexModel([("waiting", ASCENDING), ("order", ASCENDING)]),
    IndexModel([("lane", ASCENDING)]),
    IndexModel([("done_at", ASCENDING)], expireAfterSeconds=24 * 3600),
]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class Telling(msgspec.Struct, frozen=True):
    """One row of the outbox, read back."""

    id: ObjectId
    lane: str
    events: list[Event]


class Rows:
    """Makes the outbox's rows. `waiting_for` says which consumers are to hear any of some topics."""

    def __init__(self, waiting_for: Callable[[set[Topic]], list[str]]) -> None:
        self._waiting_for = waiting_for
        self._last = 0

    def of(self, events: Iterable[Event]) -> list[Row]:
        """A row for each lane, in the order in which the lanes first appear."""
        lanes: dict[str, list[Event]] = {}
        for event in events:
            lanes.setdefault(lane(event), []).append(event)
        return [self._row(name, told) for name, told in lanes.items()]

    def _row(self, name: str, told: Sequence[Event]) -> Row:
        now = datetime.now(UTC)
        self._last = max(self._last + 1, time.time_ns() // 1000)
        waiting = self._waiting_for({event.type for event in told})
        row: Row = {
            "_id": ObjectId(),
            "workspace": told[0].workspace,
            "lane": name,
            "order": self._last,
            "waiting": waiting,
            "events": [_encode(event).decode() for event in told],
            "told_at": now,
        }
        return row if waiting else {**row, "done_at": now}


def lane(event: Event) -> str:
    """Events of one lane keep their order."""
    return lane_of(event.workspace, event.subject)


def lane_of(workspace: str, subject: str) -> str:
    """The lane of what is told about a subject."""
    return f"{workspace}/{subject}"


def telling(row: Row) -> Telling:
    """A row as it was told, without what this process cannot read: none of its consumers can want a newer topic."""
    fields = msgspec.convert(row, _StoredRow)
    return Telling(fields.id, fields.lane, [event for text in fields.events if (event := _readable(text))])


def without(row: Row, topics: AbstractSet[Topic]) -> list[str]:
    """A row's events, as they were told, but for those of these topics and what nobody here can read."""
    told = msgspec.convert(row, _StoredRow).events
    return [text for text in told if (event := _readable(text)) and event.type not in topics]


def _readable(text: str) -> Event | None:
    try:
        return _decode(text)
    except msgspec.DecodeError as error:
        _log.warning("events.unreadable", error=type(error).__name__)
        return None


class _StoredRow(msgspec.Struct):
    id: ObjectId = msgspec.field(name="_id")
    lane: str
    events: list[str]


async def insert_once(collection: Collection, rows: Sequence[Row]) -> None:
    """Insert the rows that are not there yet; their `_id` decides."""
    try:
        await collection.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        if not only_duplicates(error):
            raise


class Outbox:
    """Publisher for facts that belong to no transaction.

    At most `bound` tellers wait at a time; more are refused as Unavailable, so that a store that does not answer fills
    no memory.
    """

    def __init__(self, collection: Collection, rows: Rows, wake: Callable[[], None], *, bound: int = 1000) -> None:
        self._collection = collection
        self._rows = rows
        self._wake = wake
        self._bound = bound
        self._waiting = 0
        self._group = GroupCommit(self._write)

    async def publish(self, *events: Event) -> None:
        """Durable on return. Raises Unavailable and DeadlineExceeded; publishing again is then fine."""
        if self._waiting >= self._bound:
            raise Unavailable("too many events wait for the store", retry_after=2)
        self._waiting += 1
        try:
            await self._group.add(*self._rows.of(events))
        finally:
            self._waiting -= 1
        self._wake()

    async def publish_in(self, session: AsyncClientSession, events: Sequence[Event]) -> None:
        """Write the events in the session's transaction; the caller wakes the relay after the commit."""
        if events:
            await self._collection.insert_many(self._rows.of(events), session=session)

    async def _write(self, rows: Sequence[Row]) -> None:
        with translated():
            await insert_once(self._collection, rows)
