"""How the documents of the figures are read and written.

What changes a call's log marks the call in the same step (`uncounted`), and what takes a log away seals the call's
figures in the same transaction (`seal`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec
from pymongo import ReplaceOne, UpdateOne

from scriza.kernel.calendar import SLOTS
from scriza.kernel.ids import new_id
from scriza.modules.memory.documents import (
    Row,
    Session,
    call_key,
    call_of,
    calls,
    counted_calls,
    logs,
    report_days,
    report_quarters,
    turn_of,
)
from scriza.modules.memory.reports.books import DaysWanted, Mark, StoredDay, Unanswerable
from scriza.modules.memory.reports.days import Changes, Counted, Day, DayKey
from scriza.modules.memory.reports.figures import TimedFigures

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK = 24
"""Quarters that are kept together."""
_BLOCKS = range(SLOTS // _BLOCK)
_SPANS = tuple(timedelta(days=days) for days in (4, 32))


# ---- what waits ---------------------------------------------------------------------------------------------------


def uncounted() -> Row:
    """Fields of a call's document that has to be counted anew, since its log changes in the same step."""
    return {"uncounted": new_id("mark"), "uncounted_at": datetime.now(UTC)}


async def read_marks(limit: int) -> list[Mark]:
    """The longest waiting."""
    fields = {"workspace": 1, "uncounted": 1}
    rows = await calls().find({"uncounted_at": {"$gt": _EVER}}, fields).sort("uncounted_at", 1).limit(limit).to_list()
    told = [(str(row["workspace"]), str(row["_id"]), str(row["uncounted"])) for row in rows]
    return [Mark(workspace, key.removeprefix(call_key(workspace, "")), token) for workspace, key, token in told]


async def mark_uncounted(workspace: str, call_ids: Sequence[str]) -> None:
    """Have these calls counted anew."""
    which = {"_id": {"$in": [call_key(workspace, call_id) for call_id in call_ids]}}
    await calls().update_many(which, {"$set": uncounted()})


async def put_off(marks: Sequence[Mark]) -> None:
    """Behind all others."""
    which = {"_id": {"$in": [call_key(mark.workspace, mark.call_id) for mark in marks]}, "uncounted_at": {"$gt": _EVER}}
    await calls().update_many(which, {"$set": {"uncounted_at": datetime.now(UTC)}})


async def delete_marks(marks: Sequence[Mark], session: Session | None = None) -> None:
    """Those that are still as they were read."""
    gone = {"$unset": {"uncounted": "", "uncounted_at": ""}}
    changes = [
        UpdateOne({"_id": call_key(mark.workspace, mark.call_id), "uncounted": mark.token}, gone) for mark in marks
    ]
    if changes:
        await calls().bulk_write(changes, session=session)


# ---- the log ------------------------------------------------------------------------------------------------------


async def read_call_ids(workspace: str, day: date) -> list[str]:
    """Calls that began on a day."""
    begin = datetime.combine(day, time(), UTC)
    which = {"workspace": workspace, "started_at": {"$gte": begin, "$lt": begin + timedelta(days=1)}}
    return [str(row["call_id"]) for row in await calls().find(which, {"call_id": 1}).to_list()]


async def read_unanswered(workspace: str, since: datetime, until: datetime, limit: int) -> list[Unanswerable]:
    """The latest words without an answer.

    The embedded server reads all that a query matches before it sorts and cuts, so they are looked for in the last
    days, then in longer spans.
    """
    rows: list[Row] = []
    for begin in (*(until - span for span in _SPANS if until - span > since), since):
        which = {"workspace": workspace, "unanswered": True, "said_at": {"$gte": begin, "$lt": until}}
        rows = await logs().find(which).sort("said_at", -1).limit(limit).to_list()
        if len(rows) == limit:
            break
    turns = [(str(row["call_id"]), turn_of(row)) for row in rows]
    keys = list({call_key(workspace, call_id) for call_id, _ in turns})
    fields = dict.fromkeys(("call_id", "playbook", "direction", "outcome"), 1)
    told = await calls().find({"_id": {"$in": keys}}, fields).to_list()
    of = {str(row["call_id"]): call_of(row, []) for row in told if "call_id" in row}
    return [
        Unanswerable(
            *(call_id, turn.said, turn.said_in or turn.stage, turn.said_at),
            playbook=of[call_id].playbook,
            direction=of[call_id].direction,
            outcome=of[call_id].outcome,
        )
        for call_id, turn in turns
        if turn.said and turn.said_at and call_id in of
    ]


# ---- calls --------------------------------------------------------------------------------------------------------


async def read_counted(workspace: str, call_ids: Sequence[str], session: Session) -> dict[str, Counted]:
    """What these calls have added, of those that are counted."""
    keys = {call_key(workspace, call_id): call_id for call_id in call_ids}
    rows = await counted_calls().find({"_id": {"$in": list(keys)}}, session=session).to_list()
    return {keys[str(row["_id"])]: _COUNTED.decode(_bytes(row["counted"])) for row in rows}


async def read_counted_on(workspace: str, day: date, session: Session) -> list[Counted]:
    """What the calls of a day have added, sealed ones too."""
    which = {"workspace": workspace, "day": day.isoformat()}
    rows = await counted_calls().find(which, session=session).to_list()
    return [_COUNTED.decode(_bytes(row["counted"])) for row in rows]


async def write_counted(workspace: str, counted: Mapping[str, Counted], session: Session) -> None:
    """Keep what calls have added, in the place of what is kept of them."""
    written = []
    for call_id, each in counted.items():
        row: Row = {"workspace": workspace, "day": each.cell.day.isoformat(), "counted": _ENCODE(each)}
        written.append(ReplaceOne({"_id": call_key(workspace, call_id)}, row, upsert=True))
    if written:
        await counted_calls().bulk_write(written, session=session)


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
        keys = [call_key(workspace, call_id) for call_id in call_ids]
        await counted_calls().delete_many({"_id": {"$in": keys}}, session=session)
    else:
        await write_counted(workspace, sealed, session)


# ---- days ---------------------------------------------------------------------------------------------------------


async def write_changes(workspace: str, changes: Changes, session: Session) -> None:
    """Make changes to days, each read and written once."""
    for key, parts in changes.by_day.items():
        name, blocks = _id(workspace, key), {slot // _BLOCK for slot, *_ in parts}
        stored = await report_days().find_one({"_id": name}, session=session)
        apart = await report_quarters().find({"_id": {"$in": _block_ids(name, blocks)}}, session=session).to_list()
        day = Day.new() if stored is None else _stored_day(stored, apart).open(TimedFigures)
        changes.apply(key, day)
        await write_day(workspace, key, day, session, blocks)


async def write_day(
    workspace: str,
    key: DayKey,
    day: Day[TimedFigures],
    session: Session,
    blocks: Collection[int] = _BLOCKS,
) -> None:
    """Keep a day's sum, and its quarters in these blocks; what is empty is not kept."""
    name = _id(workspace, key)
    total, quarters = day.encode()
    if day.empty:
        await report_days().delete_one({"_id": name}, session=session)
    else:
        told: Row = msgspec.to_builtins(key) | {"workspace": workspace, "total": total}
        await report_days().replace_one({"_id": name}, told, upsert=True, session=session)
    for block, block_id in zip(blocks, _block_ids(name, blocks), strict=True):
        inside = {str(slot): quarter for slot, quarter in quarters.items() if slot // _BLOCK == block}
        if not inside:
            await report_quarters().delete_one({"_id": block_id}, session=session)
            continue
        apart: Row = {"workspace": workspace, "day": key.day.isoformat(), "block": block, "quarters": inside}
        await report_quarters().replace_one({"_id": block_id}, apart, upsert=True, session=session)


async def read_days(workspace: str, wanted: DaysWanted, session: Session | None = None) -> list[StoredDay]:
    """The days' sums, as they are kept, and all quarters of blocks that have wanted ones."""
    days = {"$gte": wanted.since.isoformat(), "$lte": wanted.until.isoformat()}
    which: Row = {"workspace": workspace, "day": days}
    if wanted.agent:
        which["agent"] = wanted.agent
    if wanted.playbooks:
        which["playbook"] = {"$in": list(wanted.playbooks)}
    if wanted.direction:
        which["direction"] = wanted.direction
    rows = await report_days().find(which, session=session).to_list()
    apart: dict[str, list[Row]] = {}
    if blocks := sorted({slot // _BLOCK for slot in wanted.quarters}):
        those: Row = {"workspace": workspace, "block": {"$in": blocks}, "day": days}
        for row in await report_quarters().find(those, session=session).to_list():
            apart.setdefault(str(row["_id"]).rpartition("/")[0], []).append(row)
    return [_stored_day(row, apart.get(str(row["_id"]), ())) for row in rows]


async def read_summed_days(workspace: str) -> list[date]:
    """Days on which anything is counted."""
    return sorted(map(date.fromisoformat, map(str, await report_days().distinct("day", {"workspace": workspace}))))


async def read_workspaces() -> list[str]:
    """Those in which anything is counted."""
    return sorted(map(str, await report_days().distinct("workspace")))


def _stored_day(row: Row, apart: Sequence[Row]) -> StoredDay:
    key = msgspec.convert({name: row[name] for name in DayKey.__struct_fields__}, DayKey)
    quarters: dict[int, bytes] = {}
    for block in apart:
        quarters |= msgspec.convert(block["quarters"], dict[int, bytes], strict=False)
    return StoredDay(key, _bytes(row["total"]), quarters)


def _block_ids(day_id: str, blocks: Collection[int]) -> list[str]:
    return [f"{day_id}/{block}" for block in blocks]


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("figures are kept as bytes")
    return value


def _id(workspace: str, key: DayKey) -> str:
    sealed = "/sealed" if key.sealed else ""
    return f"{workspace}/{key.day}/{key.agent}/{key.playbook}/{key.direction}{sealed}"


_ENCODE = msgspec.msgpack.Encoder().encode
_COUNTED = msgspec.msgpack.Decoder(Counted)
