"""Memory's book in the store.

Whatever adds to a call changes the call's document, and whatever begins or ends one changes its caller's, in the same
transaction. So forgetting, which changes both, cannot miss what is being added at the same moment: the store lets only
one of the two commit, and the other one is done again and finds the tombstone.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import new_id
from scriza.modules.memory.book import Findings, Job, Place
from scriza.modules.memory.callers import KnownCaller, Lesson, corrected, taught, without
from scriza.modules.memory.documents import (
    Row,
    Session,
    call_key,
    call_of,
    call_tombstone,
    caller_key,
    caller_tombstone,
    callers,
    calls,
    erasure_of,
    erasures,
    known_caller_of,
    logs,
    stored,
    turn_key,
    turn_of,
)
from scriza.modules.memory.projection import Told
from scriza.modules.memory.reports.documents import seal, uncounted
from scriza.ports.memory import CallerErased, CallerForgotten, CallsQuery, Erasure, RememberedCall
from scriza.ports.store import Store, UnitOfWork

Unit = UnitOfWork[Session]

CONSUMER = "memory"
"""Its name on the bus."""
_SPANS = tuple(timedelta(days=days) for days in (1, 8, 64, 512))
_LAST_MOMENT = timedelta(days=1, milliseconds=-1)
"""Of a day, in the store's milliseconds; behind the last one there is no midnight."""
_CANDIDATES = 10
_STATE = dict.fromkeys(("caller", "complete", "taught", "told", "claim", "forgotten", "erasure_id"), 1)


class MongoMemoryBook:
    """Implements MemoryBook on the store."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store = store
        self._clock = clock

    # ---- calls ----------------------------------------------------------------------------------------------------

    async def hear(self, event: Event, told: Told) -> bool:
        """See MemoryBook."""
        key = call_key(event.workspace, told.call_id)

        async def work(unit: Unit) -> bool:
            known = await calls().find_one({"_id": key}, _STATE, session=unit.session)
            if known and known.get("forgotten"):
                if told.completes:
                    await self._tell_forgotten(unit, event.workspace, str(known["erasure_id"]), told.call_id)
                return False
            if told.caller and (erasure_id := await self._met(unit, event.workspace, told)):
                await self._forget_late(unit, event.workspace, told, erasure_id)
                return False
            await self._add(unit, event, told, complete=told.completes or bool(known and known.get("complete")))
            return True

        return await self._store.run(work)

    async def _met(self, unit: Unit, workspace: str, told: Told) -> str:
        """Note that the caller has called; the erasure in which they were forgotten after that, if they were."""
        key = caller_key(workspace, told.caller)
        known = await callers().find_one({"_id": key}, {"forgotten_at": 1, "erasure_id": 1}, session=unit.session)
        forgotten_at = known and known.get("forgotten_at")
        if known and isinstance(forgotten_at, datetime) and told.at <= forgotten_at:
            return str(known["erasure_id"])
        met: Row = {"$set": {"workspace": workspace, "met": new_id("met")}, "$unset": {"expires_at": ""}}
        await callers().update_one({"_id": key}, met, upsert=True, session=unit.session)
        return ""

    async def _add(self, unit: Unit, event: Event, told: Told, *, complete: bool) -> None:
        key = call_key(event.workspace, told.call_id)
        fields: Row = {"workspace": event.workspace, "call_id": told.call_id, **stored(told.call), **uncounted()}
        if complete:
            fields |= {"complete": True, "worked": False, "due_at": self._clock(), "claim": "", "attempts": 0}
        changes: Row = {"$set": fields, "$min": {"started_at": told.at}}
        await calls().update_one({"_id": key}, changes, upsert=True, session=unit.session)
        if told.turn is not None:
            turn: Row = {"workspace": event.workspace, "call_id": told.call_id, "turn": told.turn}
            changes = {"$set": turn | stored(told.turn_fields)}
            which = {"_id": turn_key(event.workspace, told.call_id, told.turn)}
            await logs().update_one(which, changes, upsert=True, session=unit.session)

    async def call(self, workspace: str, call_id: str) -> RememberedCall | None:
        """See MemoryBook."""
        with self._store.errors():
            row = await calls().find_one({"_id": call_key(workspace, call_id)})
            if row is None or row.get("forgotten"):
                return None
            turns = await logs().find({"workspace": workspace, "call_id": call_id}).to_list()
        return call_of(row, sorted(map(turn_of, turns), key=lambda turn: turn.turn))

    async def page(self, workspace: str, query: CallsQuery, after: Place | None, limit: int) -> list[RememberedCall]:
        """See MemoryBook.

        The embedded server reads all that a query matches before it sorts and cuts, so a page is looked for in the last
        day, then in ever longer spans.
        """
        latest = after.started_at if after else self._clock()
        wanted: Row = {"workspace": workspace}
        wanted |= {name: value for name in ("outcome", "playbook") if (value := getattr(query, name))}
        found: list[Row] = []
        for span in (*_SPANS, None):
            times = _times(query, since=None if span is None else latest - span)
            which = wanted | ({"started_at": times} if times else {"started_at": {"$ne": None}})
            if after is not None:
                same_moment = {"started_at": after.started_at, "call_id": {"$lt": after.call_id}}
                which["$or"] = [{"started_at": {"$lt": after.started_at}}, same_moment]
            with self._store.errors():
                newest_first = calls().find(which).sort({"started_at": -1, "call_id": -1})
                found = await newest_first.limit(limit).to_list()
            if len(found) == limit or query.day is not None:
                break
        return [call_of(row, []) for row in found]

    # ---- work on complete calls -----------------------------------------------------------------------------------

    async def take_job(self, now: datetime, until: datetime) -> Job | None:
        """See MemoryBook."""
        mark = new_id("job")
        with self._store.errors():
            due = calls().find({"due_at": {"$lte": now}}, {"workspace": 1, "call_id": 1, "due_at": 1, "attempts": 1})
            for row in await due.sort("due_at", 1).limit(_CANDIDATES).to_list():
                taken = await calls().update_one(
                    {"_id": row["_id"], "due_at": row["due_at"]}, {"$set": {"due_at": until, "claim": mark}}
                )
                if taken.matched_count:
                    job = msgspec.convert(row, _StoredJob)
                    return Job(job.workspace, job.call_id, mark, job.attempts)
        return None

    async def keep(
        self, job: Job, findings: Findings, lesson: Lesson | None, *, final: bool, tell: Sequence[Event] = ()
    ) -> bool:
        """See MemoryBook."""
        key = {"_id": call_key(job.workspace, job.call_id)}
        which = key | {"claim": job.mark}
        kept: Row = stored(findings) | ({"taught": True} if lesson else {}) | uncounted()
        changes: Row = {"$set": kept}
        if final:
            changes = {
                "$set": kept | {"worked": True, "told": True},
                "$unset": {"due_at": "", "claim": "", "attempts": ""},
            }

        async def work(unit: Unit) -> bool:
            call = await calls().find_one(key, _STATE, session=unit.session)
            if call and call.get("forgotten"):
                await self._tell_forgotten(unit, job.workspace, str(call["erasure_id"]), job.call_id)
            if call is None or call.get("claim") != job.mark:
                return False
            await calls().update_one(which, changes, session=unit.session)
            caller = str(call.get("caller", ""))
            if caller and lesson:
                first = not call.get("taught")
                await _change_caller(unit, job.workspace, caller, lambda known: taught(known, lesson, first=first))
            if not call.get("told"):  # a call that more is told of later is worked over again
                await unit.publish(*tell)
            return True

        return await self._store.run(work)

    async def put_off(self, job: Job, until: datetime) -> None:
        """See MemoryBook."""
        which = {"_id": call_key(job.workspace, job.call_id), "claim": job.mark}
        with self._store.errors():
            await calls().update_one(which, {"$set": {"due_at": until, "claim": ""}, "$inc": {"attempts": 1}})

    # ---- callers --------------------------------------------------------------------------------------------------

    async def caller(self, workspace: str, caller: str) -> KnownCaller:
        """See MemoryBook."""
        with self._store.errors():
            return known_caller_of(await callers().find_one({"_id": caller_key(workspace, caller)}))

    async def correct(self, workspace: str, caller: str, known_id: str, text: str, at: datetime) -> KnownCaller:
        """See MemoryBook."""

        async def work(unit: Unit) -> KnownCaller:
            return await _change_caller(unit, workspace, caller, lambda known: corrected(known, known_id, text, at))

        return await self._store.run(work)

    async def forget_one(self, workspace: str, caller: str, known_id: str, at: datetime) -> None:
        """See MemoryBook."""

        async def work(unit: Unit) -> None:
            if await callers().find_one({"_id": caller_key(workspace, caller)}, session=unit.session) is not None:
                await _change_caller(unit, workspace, caller, lambda known: without(known, known_id, at))

        await self._store.run(work)

    # ---- forgetting -----------------------------------------------------------------------------------------------

    async def forget(self, workspace: str, caller: str, at: datetime) -> Erasure:
        """See MemoryBook."""
        erasure_id = new_id("era")
        key = caller_key(workspace, caller)

        async def work(unit: Unit) -> Erasure:
            session = unit.session
            if (done := await erasures().find_one({"_id": erasure_id}, session=session)) is not None:
                return erasure_of(done)
            known = known_caller_of(await callers().find_one({"_id": key}, session=session))
            of_caller = calls().find({"workspace": workspace, "caller": caller}, {"call_id": 1}, session=session)
            call_ids = [str(row["call_id"]) for row in await of_caller.to_list()]
            turns = await _erase_calls(unit, workspace, call_ids, erasure_id, at)
            await callers().replace_one(
                {"_id": key}, caller_tombstone(key, workspace, erasure_id, at), upsert=True, session=session
            )
            erased = {"calls": len(call_ids), "turns": turns, "known": len(known.known)}
            proof: Row = {
                "_id": erasure_id,
                "workspace": workspace,
                "requested_at": at,
                "modules": {"memory": {"erased": erased, "done_at": at}},
            }
            await erasures().insert_one(proof, session=session)
            await self._tell(unit, workspace, CallerForgotten(erasure_id, caller, call_ids), key="")
            return erasure_of(proof)

        return await self._store.run(work)

    async def _forget_late(self, unit: Unit, workspace: str, told: Told, erasure_id: str) -> None:
        turns = await _erase_calls(unit, workspace, [told.call_id], erasure_id, self._clock())
        more = {"modules.memory.erased.calls": 1, "modules.memory.erased.turns": turns}
        await erasures().update_one({"_id": erasure_id}, {"$inc": more}, session=unit.session)
        await self._tell_forgotten(unit, workspace, erasure_id, told.call_id)

    async def _tell_forgotten(self, unit: Unit, workspace: str, erasure_id: str, call_id: str) -> None:
        """Have others erase what they may have kept of a call since they were told first."""
        await self._tell(unit, workspace, CallerForgotten(erasure_id, "", [call_id]), key=new_id("late"))

    async def _tell(self, unit: Unit, workspace: str, data: CallerForgotten, *, key: str) -> None:
        await unit.publish(
            event(
                Topic.CALLER_FORGOTTEN,
                data,
                source="memory",
                subject=data.erasure_id,
                key=key,
                time=self._clock(),
                workspace=workspace,
            )
        )

    async def acknowledge(self, event: Event, data: CallerErased) -> bool:
        """See MemoryBook."""
        part = f"modules.{data.module}"
        counted: Row = {f"{part}.erased.{kind}": count for kind, count in data.erased.items()}
        changes: Row = {"$set": {f"{part}.done_at": event.time}, **({"$inc": counted} if counted else {})}

        async def work(unit: Unit) -> bool:
            if not await unit.receive(CONSUMER, event):
                return False
            which = {"_id": data.erasure_id, "workspace": event.workspace}
            return (await erasures().update_one(which, changes, session=unit.session)).matched_count == 1

        return await self._store.run(work)

    async def erasure(self, workspace: str, erasure_id: str) -> Erasure | None:
        """See MemoryBook."""
        with self._store.errors():
            row = await erasures().find_one({"_id": erasure_id, "workspace": workspace})
        return None if row is None else erasure_of(row)


async def _erase_calls(unit: Unit, workspace: str, call_ids: Sequence[str], erasure_id: str, at: datetime) -> int:
    """Leave nothing of these calls but their tombstones, and what they count; returns how many turns there were."""
    await seal(workspace, call_ids, unit.session, erase=True)
    for call_id in call_ids:
        key = call_key(workspace, call_id)
        tombstone = call_tombstone(key, workspace, erasure_id, at)
        await calls().replace_one({"_id": key}, tombstone, upsert=True, session=unit.session)
    which: Row = {"workspace": workspace, "call_id": {"$in": list(call_ids)}}
    return (await logs().delete_many(which, session=unit.session)).deleted_count


async def _change_caller(
    unit: Unit, workspace: str, caller: str, change: Callable[[KnownCaller], KnownCaller]
) -> KnownCaller:
    key = caller_key(workspace, caller)
    changed = change(known_caller_of(await callers().find_one({"_id": key}, session=unit.session)))
    fields = {"workspace": workspace, **{name: getattr(changed, name) for name in changed.__struct_fields__}}
    await callers().update_one({"_id": key}, {"$set": stored(fields)}, upsert=True, session=unit.session)
    return changed


def _times(query: CallsQuery, *, since: datetime | None) -> Row:
    """When calls that the query wants began."""
    if query.day is None:
        return {} if since is None else {"$gte": since}
    midnight = datetime.combine(query.day, datetime.min.time(), tzinfo=UTC)
    return {"$gte": midnight, "$lte": midnight + _LAST_MOMENT}


class _StoredJob(msgspec.Struct):
    workspace: str
    call_id: str
    attempts: int = 0
