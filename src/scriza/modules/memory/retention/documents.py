"""How what has outlived its time is found and removed, and how policies are kept."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from scriza.modules.memory.documents import Row, Session, call_key, callers, calls, logs, retentions
from scriza.modules.memory.reports.documents import seal
from scriza.ports.retention import Purged, RetentionPolicy

_WORDS_OF_A_TURN = ("said", "generated", "heard", "learned", "promised")
_WORDS_OF_A_CALL = ("summary", "summary_by", "fields", "refused", "scorecard")


class Kept(msgspec.Struct, frozen=True):
    """A workspace's policy, if it has one of its own, and how far it was carried out."""

    policy: RetentionPolicy | None = None
    last_purge: Purged | None = None
    removed_until: datetime | None = None
    """No call that began before is kept any more."""
    stripped_until: datetime | None = None
    """No call that began before holds words any more."""


async def read_kept(workspace: str) -> Kept:
    """The workspace's document."""
    return msgspec.convert(await retentions().find_one({"_id": workspace}) or {}, Kept)


async def write_kept(workspace: str, changes: Row) -> None:
    """Change the workspace's document."""
    row: Row = msgspec.to_builtins(changes, builtin_types=(datetime,))
    await retentions().update_one({"_id": workspace}, {"$set": row | {"workspace": workspace}}, upsert=True)


async def workspaces_with_policies() -> list[str]:
    """Those that have set one."""
    return sorted(map(str, await retentions().distinct("workspace")))


# ---- calls --------------------------------------------------------------------------------------------------------


async def calls_of(workspace: str, since: datetime, until: datetime, limit: int) -> list[str]:
    """Calls that began from a time up to another."""
    which: Row = {"workspace": workspace, "started_at": {"$gte": since, "$lt": until}}
    return [str(row["call_id"]) for row in await calls().find(which, {"call_id": 1}).limit(limit).to_list()]


async def wordy_calls_of(workspace: str, since: datetime, until: datetime, limit: int) -> list[str]:
    """The same of those that still have words."""
    which: Row = {"workspace": workspace, "started_at": {"$gte": since, "$lt": until}}
    rows = await calls().find(which, {"call_id": 1, "stripped": 1}).to_list()
    # Asked for what is not stripped, the embedded server would read all calls instead of the day's.
    return [str(row["call_id"]) for row in rows if not row.get("stripped")][:limit]


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


async def remove_summaries(workspace: str, before: datetime, limit: int) -> int:
    """The words that the last calls of at most `limit` callers have left with them; of how many."""
    old: Row = {"workspace": workspace, "last_call_at": {"$lt": before}, "last_summary": {"$gt": ""}}
    found = [row["_id"] for row in await callers().find(old, {"_id": 1}).limit(limit).to_list()]
    await callers().update_many({"_id": {"$in": found}}, {"$set": {"last_summary": ""}})
    return len(found)


async def remove_facts(workspace: str, before: datetime, limit: int) -> int:
    """What was said of at most `limit` callers before a time; how many things."""
    old: Row = {"said_at": {"$lt": before}}
    which: Row = {"workspace": workspace, "known": {"$elemMatch": old}}
    found = await callers().find(which, {"known.said_at": 1}).limit(limit).to_list()
    await callers().update_many({"_id": {"$in": [row["_id"] for row in found]}}, {"$pull": {"known": old}})
    rows = msgspec.convert(found, list[_Known])
    return sum(item.said_at is not None and item.said_at < before for row in rows for item in row.known)


async def remove_callers(workspace: str, before: datetime, limit: int) -> int:
    """At most `limit` callers of whom nothing is known but that they called, before a time; how many."""
    idle: Row = {
        "workspace": workspace,
        "last_call_at": {"$lt": before},
        "known.0": {"$exists": False},
        "forgotten_at": None,
    }
    found = [row["_id"] for row in await callers().find(idle, {"_id": 1}).limit(limit).to_list()]
    return (await callers().delete_many({"_id": {"$in": found}} | idle)).deleted_count


class _Item(msgspec.Struct):
    said_at: datetime | None = None


class _Known(msgspec.Struct):
    known: list[_Item] = []
