"""Memory's documents, and how they become what the ports tell.

Documents are read and written as they are, without a model in between: their fields are those of the port's Structs,
and each event changes some of them in place.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from scriza.modules.memory.callers import KnownCaller
from scriza.ports.memory import ERASERS, Erasure, ModuleErasure, RememberedCall, RememberedTurn

Session = AsyncClientSession
Row = dict[str, object]
Collection = AsyncCollection[Row]


class MemoryLog(Document):
    """One turn of a call: the fields of `RememberedTurn`; `learned` is a list of pairs, since names may have dots."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """Workspace, ``/``, call, ``:``, turn."""
    workspace: str
    call_id: str
    turn: int

    class Settings:
        """Read by call; what had no answer also by time."""

        name = "memory_logs"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("call_id", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("unanswered", ASCENDING), ("said_at", DESCENDING)]),
        ]


class MemoryCall(Document):
    """A call: the fields of `RememberedCall` beside these; or the tombstone of one that was forgotten."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """Workspace, ``/``, call."""
    workspace: str
    call_id: str = ""
    caller: str = ""
    started_at: datetime | None = None
    complete: bool = False
    worked: bool = False
    taught: bool = False
    """What is known of its caller has learned from it."""
    told: bool = False
    """What it came to has been told."""
    due_at: datetime | None = None
    """From then on whoever comes first works it over."""
    claim: str = ""
    """The mark of who does."""
    attempts: int = 0
    uncounted: str = ""
    """Reports have not counted yet what is known of it; each change leaves another mark."""
    uncounted_at: datetime | None = None
    stripped: bool = False
    """Its words have outlived their time and are gone."""
    forgotten: bool = False
    expires_at: datetime | None = None

    class Settings:
        """Pages read by time; forgetting by caller; work by when it is due. The store removes old tombstones."""

        name = "memory_calls"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("started_at", DESCENDING), ("call_id", DESCENDING)]),
            IndexModel([("workspace", ASCENDING), ("caller", ASCENDING)]),
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([("uncounted_at", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


class MemoryCaller(Document):
    """What is known of a caller: the fields of `KnownCaller`; of one that was forgotten, when."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """Workspace, ``/``, pseudonym."""
    workspace: str
    forgotten_at: datetime | None = None
    """Calls that began before belong to nobody."""
    erasure_id: str = ""
    expires_at: datetime | None = None

    class Settings:
        """What has outlived its time is found by time. The store removes old tombstones."""

        name = "memory_callers"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("last_call_at", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("known.said_at", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


class MemoryErasure(Document):
    """Proof of an erasure; it holds nothing that leads to a person."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    requested_at: datetime
    modules: dict[str, Row]

    class Settings:
        """Read by id."""

        name = "memory_erasures"


class ReportDay(Document):
    """One day's sums."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    day: str
    agent: str
    playbook: str
    direction: str
    sealed: bool
    total: bytes

    class Settings:
        """Read by day."""

        name = "report_days"
        indexes = [IndexModel([("workspace", ASCENDING), ("day", ASCENDING)])]


class ReportQuarters(Document):
    """The quarters of six hours of a day, apart from the day's sum: few reports need some of them."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """That of the day, ``/``, block."""
    workspace: str
    day: str
    block: int
    quarters: dict[str, bytes]
    """By their number in the day, from 0 to 95; those in which nothing was are left out."""

    class Settings:
        """Read by the part of the day."""

        name = "report_quarters"
        indexes = [IndexModel([("workspace", ASCENDING), ("block", ASCENDING), ("day", ASCENDING)])]


class CountedCall(Document):
    """What one call has added."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """The same as that of the call's document."""
    workspace: str
    day: str
    counted: bytes

    class Settings:
        """Read by day when sums are rebuilt."""

        name = "counted_calls"
        indexes = [IndexModel([("workspace", ASCENDING), ("day", ASCENDING)])]


class MemoryRetention(Document):
    """How long a workspace keeps what, and how far that was carried out."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """The workspace."""
    workspace: str
    policy: Row | None = None
    last_purge: Row | None = None
    removed_until: datetime | None = None
    stripped_until: datetime | None = None

    class Settings:
        """Read by workspace."""

        name = "memory_retention"


class MemoryClaim(Document):
    """Who does a piece of work that each process could do."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """The work's name."""
    workspace: str
    holder: str
    until: datetime

    class Settings:
        """One for each kind of work."""

        name = "memory_claims"


MEMORY_DOCUMENTS: tuple[type[Document], ...] = (
    *(MemoryLog, MemoryCall, MemoryCaller, MemoryErasure),
    *(ReportDay, ReportQuarters, CountedCall, MemoryRetention, MemoryClaim),
)

TOMBSTONES_FOR = timedelta(days=30)
"""So long an event may be on its way: the bus gives a consumer up after a week, and remembers what it has heard for a
month."""


def logs() -> Collection:
    """The turns."""
    return MemoryLog.get_pymongo_collection()


def calls() -> Collection:
    """The calls."""
    return MemoryCall.get_pymongo_collection()


def callers() -> Collection:
    """The callers."""
    return MemoryCaller.get_pymongo_collection()


def erasures() -> Collection:
    """The erasures."""
    return MemoryErasure.get_pymongo_collection()


def report_days() -> Collection:
    """The sums of days."""
    return ReportDay.get_pymongo_collection()


def report_quarters() -> Collection:
    """The quarters of days."""
    return ReportQuarters.get_pymongo_collection()


def counted_calls() -> Collection:
    """What each call has added to them."""
    return CountedCall.get_pymongo_collection()


def retentions() -> Collection:
    """The policies of workspaces."""
    return MemoryRetention.get_pymongo_collection()


def claims() -> Collection:
    """Who does what."""
    return MemoryClaim.get_pymongo_collection()


def call_key(workspace: str, call_id: str) -> str:
    """The id of a call's document."""
    return f"{workspace}/{call_id}"


def turn_key(workspace: str, call_id: str, turn: int) -> str:
    """The id of a turn's document."""
    return f"{workspace}/{call_id}:{turn}"


def caller_key(workspace: str, caller: str) -> str:
    """The id of a caller's document."""
    return f"{workspace}/{caller}"


def call_tombstone(key: str, workspace: str, erasure_id: str, at: datetime) -> Row:
    """What is left of a call that was forgotten."""
    return {
        "_id": key,
        "workspace": workspace,
        "forgotten": True,
        "erasure_id": erasure_id,
        "expires_at": at + TOMBSTONES_FOR,
    }


def caller_tombstone(key: str, workspace: str, erasure_id: str, at: datetime) -> Row:
    """What is left of a caller that was forgotten."""
    return {
        "_id": key,
        "workspace": workspace,
        "erasure_id": erasure_id,
        "forgotten_at": at,
        "expires_at": at + TOMBSTONES_FOR,
    }


def stored(fields: object) -> Row:
    """Fields, or a Struct, as documents hold them."""
    row: Row = msgspec.to_builtins(fields, builtin_types=(datetime,))
    learned = row.get("learned")
    if isinstance(learned, Mapping):
        row["learned"] = [[name, value] for name, value in learned.items()]
    return row


def turn_of(row: Row) -> RememberedTurn:
    """A document of `memory_logs`."""
    learned = msgspec.convert(row.get("learned", []), list[tuple[str, str]])
    return msgspec.convert({**row, "learned": dict(learned)}, RememberedTurn)


def call_of(row: Row, turns: list[RememberedTurn]) -> RememberedCall:
    """A document of `memory_calls` that is no tombstone, with these turns."""
    call = msgspec.convert(row, RememberedCall)
    call.turns = turns
    call.state = "worked" if row.get("worked") else "complete" if row.get("complete") else "live"
    if call.started_at is not None and call.duration_seconds is not None:
        call.ended_at = call.started_at + timedelta(seconds=call.duration_seconds)
    return call


def known_caller_of(row: Row | None) -> KnownCaller:
    """A document of `memory_callers`, or none."""
    return msgspec.convert(row or {}, KnownCaller)


def erasure_of(row: Row) -> Erasure:
    """A document of `memory_erasures`."""
    kept = msgspec.convert(row, _StoredErasure)
    parts = [
        ModuleErasure(
            module,
            "pending" if part.done_at is None else "done",
            part.erased,
            part.done_at,
        )
        for module, part in ((name, kept.modules.get(name, _StoredPart())) for name in ("memory", *ERASERS))
    ]
    return Erasure(kept.id, kept.requested_at, all(part.state == "done" for part in parts), parts)


class _StoredPart(msgspec.Struct):
    erased: dict[str, int] = {}
    done_at: datetime | None = None


class _StoredErasure(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    requested_at: datetime
    modules: dict[str, _StoredPart]
