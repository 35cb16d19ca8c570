"""How what has outlived its time is found and removed, and how policies are kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from scriza.modules.memory.documents import Row, Session, call_key, callers, calls, logs, retentions
from scriza.modules.memory.reports.documents import seal
from scriza.ports.retention import Purged, RetentionPolicy

_WORDS_OF_A_TURN = ("said", "generated", "heard", "learned", "promised")
_WORDS_OF_A_CALL = ("summary", "summary_by", "fields", "refused", "scorecard")


_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class WordyCall(msgspec.Struct, frozen=True):
    """A call whose words are kept."""

    call_id: str
    started_at: datetime


class Kept(msgspec.Struct, frozen=True):
    """A workspace's policy, if it has one of its own, and how far it was carried out."""

    policy: RetentionPolicy | None = None
    last_purge: Purged | None = None
    stripped_until: datetime | None = None
    """No call that began before holds words any more."""


async def read_kept(workspace: str) -> Kept:
    """The workspace's document."""
    return msgspec.convert(await retentions().find_one({"_id": workspace}) or {}, Kept)


async def write_kept(workspace: str, changes: Row) -> None:
    """Change the workspace's document."""
    row: Row = msgspec.to_builtins(changes, builtin_types=(datetime,))
    await retentions().update_one({"_id": workspace}, {"$set": row | {"workspace": workspace}}, upsert=True)


async def workspaces() -> list[str]:
    """All that have calls, callers or a policy."""
    found = [await collection.distinct("workspace") for collection in (calls(), callers(), retentions())]
    return sorted({str(workspace) for names in found for workspace in names})


# ---- calls --------------------------------------------------------------------------------------------------------


async def calls_before(workspace: str, before: datetime, limit: int) -> list[str]:
    """Calls that began before a time, the oldest first."""
    which: Row = {"workspace": workspace, "started_at": {"$lt": before, "$gt": _EVER}}
    rows = await calls().find(which, {"call_id": 1}).sort("started_at", 1).limit(limit).to_list()
    return [str(row["call_id"]) for row in rows]


async def wordy_calls(workspace: str, since: datetime | None, before: datetime, limit: int) -> list[WordyCall]:
    """Calls of a span of time that still have words, the oldest first."""
    times: Row = {"$gte": since or _EVER, "$lt": before}
    which: Row = {"workspace": workspace, "started_at": times, "stripped": {"$ne": True}}
    rows = await calls().find(which, {"call_id": 1, "started_at": 1}).sort("started_at", 1).limit(limit).to_list()
    return msgspec.convert(rows, list[WordyCall])


async def strip(workspace: str, call_ids: Sequence[str], session: Session) -> int:
    """Take all words out of these calls; how many had any. What they count is sealed before."""
    await seal(workspace, call_ids, session, erase=False)
    keys = [call_key(workspace, call_id) for call_id in call_ids]
    of_calls: Row = {"_id": {"$in": keys}, "stripped": {"$ne": True}}
    no_words = dict.fromkeys(_WORDS_OF_A_CALL, "")
    changed = await calls().update_many(
        of_calls, {"$unset": no_words | {"due_at": "", "claim": ""}, "$set": {"stripped": True}}, session=session
    )
    of_turns: Row = {"workspace": workspace, "call_id": {"$in": list(call_ids)}}
    await logs().update_many(of_turns, {"$unset": dict.fromkeys(_WORDS_OF_A_TURN, "")}, session=session)
    return changed.modified_count


async def remove(workspace: str, call_ids: Sequence[str], session: Session) -> int:
    """Take these calls away; how many there were. What they count is sealed before."""
    await seal(workspace, call_ids, session, erase=True)
    keys = [call_key(workspace, call_id) for call_id in call_ids]
    await logs().delete_many({"workspace": workspace, "call_id": {"$in": list(call_ids)}}, session=session)
    return (await calls().delete_many({"_id": {"$in": keys}}, session=session)).deleted_count


# ---- callers ------------------------------------------------------------------------------------------------------


async def remove_summaries(workspace: str, before: datetime) -> None:
    """The words that callers' last calls have left with them."""
    old: Row = {"workspace": workspace, "last_call_at": {"$lt": before}, "last_summary": {"$gt": ""}}
    await callers().update_many(old, {"$set": {"last_summary": ""}})


async def remove_facts(workspace: str, before: datetime, limit: int) -> tuple[int, int]:
    """What was said of at most `limit` callers before a time: of how many callers, and how many things."""
    old: Row = {"said_at": {"$lt": before}}
    which: Row = {"workspace": workspace, "known": {"$elemMatch": old}}
    found = await callers().find(which, {"known.said_at": 1}).limit(limit).to_list()
    if found:
        await callers().update_many({"_id": {"$in": [row["_id"] for row in found]}}, {"$pull": {"known": old}})
    rows = msgspec.convert(found, list[_Known])
    return len(rows), sum(item.said_at is not None and item.said_at < before for row in rows for item in row.known)


async def remove_callers(workspace: str, before: datetime) -> int:
    """Callers of whom nothing is known but that they called, before a time."""
    idle: Row = {
        "workspace": workspace,
        "last_call_at": {"$lt": before},
        "known.0": {"$exists": False},
        "forgotten_at": None,
    }
    return (await callers().delete_many(idle)).deleted_count


class _Item(msgspec.Struct):
    said_at: datetime | None = None


class _Known(msgspec.Struct):
    known: list[_Item] = []
