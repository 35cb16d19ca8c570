"""Documents of the figures, and how they are read and written.

What changes a call's log marks the call in the same transaction (`mark_uncounted`), and what takes a log away seals the
call's figures (`seal`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import msgspec
from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DeleteOne, IndexModel, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from scriza.kernel.ids import new_id
from scriza.modules.memory.reports.books import DaysWanted, Mark, StoredDay
from scriza.modules.memory.reports.days import Changes, Counted, Day, DayKey

Session = AsyncClientSession


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
    quarters: bytes

    class Settings:
        """Read by day."""

        name = "report_days"
        indexes = [IndexModel([("workspace", ASCENDING), ("day", ASCENDING)])]


class CountedCall(Document):
    """What one call has added."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """The call's."""
    workspace: str
    day: str
    counted: bytes

    class Settings:
        """Read by day when sums are rebuilt."""

        name = "counted_calls"
        indexes = [IndexModel([("workspace", ASCENDING), ("day", ASCENDING)])]


class UncountedCall(Document):
    """A call whose log has changed since it was counted."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """The call's."""
    workspace: str
    token: str
    since: datetime

    class Settings:
        """The longest waiting is taken first."""

        name = "uncounted_calls"
        indexes = [IndexModel([("since", ASCENDING)])]


REPORT_DOCUMENTS: tuple[type[Document], ...] = (ReportDay, CountedCall, UncountedCall)


# ---- what waits ---------------------------------------------------------------------------------------------------


async def mark_uncounted(workspace: str, call_id: str, session: Session | None = None) -> None:
    """Have a call counted anew; belongs into the transaction that changes its log."""
    changed = {"$set": {"token": new_id("mark")}}
    first = {"$setOnInsert": {"workspace": workspace, "since": datetime.now(UTC)}}
    waiting = UncountedCall.get_pymongo_collection()
    await waiting.update_one({"_id": call_id}, changed | first, upsert=True, session=session)


async def read_marks(limit: int) -> list[Mark]:
    """The longest waiting."""
    rows = await UncountedCall.get_pymongo_collection().find({}).sort("since", ASCENDING).limit(limit).to_list()
    return [Mark(str(row["workspace"]), str(row["_id"]), str(row["token"])) for row in rows]


async def put_off(marks: Sequence[Mark]) -> None:
    """Behind all others."""
    which = {"_id": {"$in": [mark.call_id for mark in marks]}}
    await UncountedCall.get_pymongo_collection().update_many(which, {"$set": {"since": datetime.now(UTC)}})


async def delete_marks(marks: Sequence[Mark], session: Session | None = None) -> None:
    """Those that are still as they were read."""
    if marks:
        gone = [DeleteOne({"_id": mark.call_id, "token": mark.token}) for mark in marks]
        await UncountedCall.get_pymongo_collection().bulk_write(gone, session=session)


# ---- calls --------------------------------------------------------------------------------------------------------


async def read_counted(workspace: str, call_ids: Sequence[str], session: Session) -> dict[str, Counted]:
    """What these calls have added, of those that are counted."""
    which = {"_id": {"$in": list(call_ids)}, "workspace": workspace}
    rows = await CountedCall.get_pymongo_collection().find(which, session=session).to_list()
    return {str(row["_id"]): _COUNTED.decode(bytes(row["counted"])) for row in rows}


async def read_counted_on(workspace: str, day: date, session: Session) -> list[Counted]:
    """What the calls of a day have added, sealed ones too."""
    which = {"workspace": workspace, "day": day.isoformat()}
    rows = await CountedCall.get_pymongo_collection().find(which, session=session).to_list()
    return [_COUNTED.decode(bytes(row["counted"])) for row in rows]


async def write_counted(workspace: str, counted: Mapping[str, Counted], session: Session) -> None:
    """Keep what calls have added, in the place of what is kept of them."""
    if not counted:
        return
    written = [
        ReplaceOne(
            {"_id": call_id},
            {"workspace": workspace, "day": each.cell.day.isoformat(), "counted": _ENCODE(each)},
            upsert=True,
        )
        for call_id, each in counted.items()
    ]
    await CountedCall.get_pymongo_collection().bulk_write(written, session=session)


async def seal(workspace: str, call_ids: Sequence[str], session: Session, *, erase: bool) -> None:
    """Keep what these calls have added, for good: their log is about to go, so they cannot be counted anew.

    Belongs into the transaction that takes the log away. With `erase` nothing of the figures leads back to the calls;
    without it they are remembered as sealed, for what may still be told of them.
    """
    have = await read_counted(workspace, call_ids, session)
    changes, sealed = Changes(), dict[str, Counted]()
    for call_id, counted in have.items():
        sealed[call_id] = msgspec.structs.replace(counted, sealed=True)
        changes.replace(counted, sealed[call_id])
    await write_changes(workspace, changes, session)
    if erase:
        gone = {"_id": {"$in": list(call_ids)}, "workspace": workspace}
        await CountedCall.get_pymongo_collection().delete_many(gone, session=session)
        await UncountedCall.get_pymongo_collection().delete_many(gone, session=session)
    else:
        await write_counted(workspace, sealed, session)


# ---- days ---------------------------------------------------------------------------------------------------------


async def write_changes(workspace: str, changes: Changes, session: Session) -> None:
    """Make changes to days, each read and written once."""
    for key in changes.by_day:
        stored = await ReportDay.get_pymongo_collection().find_one({"_id": _id(workspace, key)}, session=session)
        day = Day() if stored is None else _stored_day(stored).open()
        changes.apply(key, day)
        await write_day(workspace, key, day, session)


async def write_day(workspace: str, key: DayKey, day: Day, session: Session) -> None:
    """Keep a day's sums; an empty day is not kept."""
    days, which = ReportDay.get_pymongo_collection(), {"_id": _id(workspace, key)}
    if day.empty:
        await days.delete_one(which, session=session)
        return
    total, quarters = day.encode()
    told = msgspec.to_builtins(key) | {"workspace": workspace, "total": total, "quarters": quarters}
    await days.replace_one(which, told, upsert=True, session=session)


async def read_days(workspace: str, wanted: DaysWanted, session: Session | None = None) -> list[StoredDay]:
    """The days' sums, as they are kept."""
    which: dict[str, object] = {
        "workspace": workspace,
        "day": {"$gte": wanted.since.isoformat(), "$lte": wanted.until.isoformat()},
    }
    if wanted.agent:
        which["agent"] = wanted.agent
    if wanted.playbooks:
        which["playbook"] = {"$in": list(wanted.playbooks)}
    if wanted.direction:
        which["direction"] = wanted.direction
    fields = None if wanted.quarters else {"quarters": 0}
    rows = await ReportDay.get_pymongo_collection().find(which, fields, session=session).to_list()
    return [_stored_day(row) for row in rows]


async def read_day_names(workspace: str) -> list[date]:
    """Days that have sums, or calls that are counted on them."""
    found: set[str] = set()
    for documents in (ReportDay, CountedCall):
        rows = await documents.get_pymongo_collection().distinct("day", {"workspace": workspace})
        found.update(str(row) for row in rows)
    return sorted(date.fromisoformat(day) for day in found)


def _stored_day(row: Mapping[str, object]) -> StoredDay:
    return StoredDay(
        msgspec.convert({name: row[name] for name in DayKey.__struct_fields__}, DayKey),
        _bytes(row["total"]),
        _bytes(row["quarters"]) if "quarters" in row else None,
    )


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a day's sums are bytes")
    return value


def _id(workspace: str, key: DayKey) -> str:
    sealed = "/sealed" if key.sealed else ""
    return f"{workspace}/{key.day}/{key.agent}/{key.playbook}/{key.direction}{sealed}"


_ENCODE = msgspec.msgpack.Encoder().encode
_COUNTED = msgspec.msgpack.Decoder(Counted)
