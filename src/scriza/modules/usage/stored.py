"""Usage in the store: one transaction for a batch of events, one conditional update for a check.

A batch's transaction writes the events, their lines in the ledger, the account that follows from these, the sums, and
what is told of it. So whatever dies between two writes, each event has counted once, in all of them or in none.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Conflict
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import derived_id
from scriza.modules.usage.account import (
    NO_END,
    Account,
    Entry,
    Grant,
    Hold,
    crossings,
    debited,
    expired,
    granted,
    released,
    replaced,
)
from scriza.modules.usage.documents import (
    AlreadyThere,
    CreditAccount,
    LedgerEntry,
    Quarantined,
    Row,
    Session,
    UsageCall,
    UsageEvent,
    UsageSum,
    by_ids,
    collection,
    increase,
    put,
    set_fields,
)
from scriza.modules.usage.grains import Piece, decode, encode, merged, spread
from scriza.modules.usage.prices import PriceTable
from scriza.modules.usage.reading import Used, again
from scriza.modules.usage.rows import correction, entry_id, entry_row, event_row, priced_row, used_of
from scriza.modules.usage.sums import CallSums, Changes, changes
from scriza.ports.credit import CreditRules, CreditThreshold, LedgerLine, PutAside, UsageUpdated
from scriza.ports.store import Store, UnitOfWork

Unit = UnitOfWork[Session]
T = TypeVar("T")

_COLLISIONS = 50
_encode = msgspec.json.encode
_GRANTS = msgspec.json.Decoder(list[Grant])
_HOLD = msgspec.json.Decoder(Hold)


class Told(NamedTuple):
    """An event, and what it was read as."""

    used: Used
    event: Event


class Counted(NamedTuple):
    """What became of a batch: counted, known from before, put aside."""

    fresh: int = 0
    again: int = 0
    odd: int = 0


class Repriced(NamedTuple):
    """What became of events that were priced again."""

    events: int = 0
    corrected: int = 0
    micro_usd: int = 0
    """What all of them cost more than before; below zero is less."""
    last: tuple[datetime, str] | None = None
    """Where to go on; none when these were the last."""


class Standing(NamedTuple):
    """A workspace's account, and what it has settled about it."""

    account: Account
    rules: CreditRules


class Position(NamedTuple):
    """What a check has to know of an account, and of one of its holds."""

    available: int
    spendable: int
    """What a check may still say yes to."""
    held: Hold | None
    is_due: bool
    """Something of the account is over, or there is no account."""


class MongoUsage:
    """Keeps what was used, and what follows from it."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def count(self, workspace: str, batch: Sequence[Told]) -> Counted:
        """Count what was not counted before; an event with the id of another one is put aside."""

        async def work(unit: Unit) -> Counted:
            fresh, counted = await self._sift(unit, batch)
            if fresh:
                rows = [event_row(used) for used in fresh]
                await collection(UsageEvent).insert_many(rows, session=unit.session)
                await self._charge(unit, workspace, fresh)
                await self._add_up(unit, workspace, fresh)
            return counted

        return await self._again_after_collisions(work)

    async def reprice(
        self,
        workspace: str,
        span: tuple[datetime, datetime],
        after: tuple[datetime, str] | None,
        limit: int,
        prices: PriceTable,
    ) -> Repriced:
        """Price the first `limit` events of a span, after that place, again: what has changed is corrected."""
        since, until = span
        which: Row = {"workspace": workspace, "at": {"$gte": since, "$lt": until}}
        if after is not None:
            at, event_id = after
            which["$or"] = [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": event_id}}]

        async def work(unit: Unit) -> Repriced:
            found = collection(UsageEvent).find(which, session=unit.session).sort([("at", 1), ("_id", 1)])
            rows = await found.limit(limit).to_list()
            pairs = [(row, used, again(used, prices)) for row in rows for used in [used_of(row)]]
            moved = [(row, old, new) for row, old, new in pairs if old != new]
            await set_fields(UsageEvent, {row["_id"]: priced_row(row, new) for row, _, new in moved}, unit.session)
            changed = [
                (row, replaced(new, quantities=new.quantities.less(old.quantities)))
                for row, old, new in moved
                if new.quantities != old.quantities
            ]
            entries = [correction(row, more, self._clock()) for row, more in changed if more.quantities.cost_micro_usd]
            if changed:
                await self._burn(unit, workspace, entries, len(changed))
                await self._add_up(unit, workspace, [more for _, more in changed])
            last = (rows[-1]["at"], str(rows[-1]["_id"])) if len(rows) == limit else None
            return Repriced(len(rows), len(changed), -sum(entry.amount for entry in entries), last)

        return await self._again_after_collisions(work)

    async def put_aside(self, event: Event, reason: str) -> None:
        """Keep an event that cannot be counted, for somebody to look at."""

        async def work(unit: Unit) -> None:
            await self._put_aside(unit, event, reason)

        await self._store.run(work)

    async def standing(self, workspace: str) -> Standing:
        """How a workspace stands."""
        with self._store.errors():
            return _standing(workspace, await collection(CreditAccount).find_one({"_id": workspace}))

    async def position(self, workspace: str, hold_id: str) -> Position:
        """How a workspace stands for one call, without reading all the others' holds."""
        fields = ["available", "spendable", "due_at", f"holds.{hold_id}"]
        with self._store.errors():
            row = await collection(CreditAccount).find_one({"_id": workspace}, fields)
        if row is None:
            return Position(0, NO_END, None, is_due=True)
        held = row.get("holds", {}).get(hold_id)
        due = row["due_at"] <= self._clock()
        return Position(row["available"], row["spendable"], _HOLD.decode(held) if held else None, is_due=due)

    async def hold(self, workspace: str, hold_id: str, hold: Hold, before: Hold | None = None) -> bool:
        """Set credit aside, if there is any to: one update decides, so that of many at once no two count on the same.

        With the hold `before` it takes that one's place, and what it has more is set aside. False also when the hold
        is not as it was before, or when there is no account yet.
        """
        field, more = f"holds.{hold_id}", hold.left - (before.left if before else 0)
        as_before: Row = {field: _encode(before).decode() if before else {"$exists": False}}
        taken = {"available": -more, "spendable": -more, "revision": 1}
        with self._store.errors():
            done = await collection(CreditAccount).update_one(
                {"_id": workspace, **as_before, "spendable": {"$gte": more}},
                {"$inc": taken, "$set": {field: _encode(hold).decode()}, "$min": {"due_at": hold.lapses_at}},
            )
        return done.matched_count == 1

    async def grant(self, workspace: str, grant: Grant) -> None:
        """Give credit, once under each id. Raises Conflict when the id belongs to another grant."""

        async def work(unit: Unit) -> None:
            standing = await self._standing(unit, workspace)
            account, entries = granted(expired(standing.account, self._clock())[0], grant)
            known = await LedgerEntry.find_one({"_id": entry_id(workspace, entries[0])}, session=unit.session)
            if known is not None:
                if known.amount != grant.amount:
                    raise Conflict("there is another grant of this id", reason="another-grant")
                return
            await self._write(unit, workspace, entries)
            await self._keep(unit, standing, account)

        await self._again_after_collisions(work)

    async def sweep(self, workspace: str) -> None:
        """Let go of grants and holds whose time is over, and open an account where there is none."""

        async def work(unit: Unit) -> None:
            standing = await self._standing(unit, workspace)
            account, entries = expired(standing.account, self._clock())
            await self._write(unit, workspace, entries)
            await self._keep(unit, standing, account)

        await self._again_after_collisions(work)

    async def sweep_due(self) -> None:
        """Do so in all workspaces in which anything is over."""
        with self._store.errors():
            due = await collection(CreditAccount).find({"due_at": {"$lte": self._clock()}}, ["_id"]).to_list()
        for row in due:
            await self.sweep(str(row["_id"]))

    async def settle_rules(self, workspace: str, rules: CreditRules) -> None:
        """Keep what a workspace settles."""

        async def work(unit: Unit) -> None:
            standing = await self._standing(unit, workspace)
            account = replaced(standing.account, overdraft=rules.overdraft, thresholds=sorted(rules.thresholds))
            account = replaced(account, crossed=[mark for mark in account.crossed if mark in rules.thresholds])
            await self._keep(unit, Standing(standing.account, rules), account)

        await self._again_after_collisions(work)

    async def workspaces(self) -> list[str]:
        """All that have an account."""
        with self._store.errors():
            return [found.id for found in await CreditAccount.find_all().to_list()]

    async def entries(
        self, workspace: str, limit: int, before: tuple[datetime, str] | None, call_id: str
    ) -> list[LedgerLine]:
        """Of the ledger, newest first."""
        which: Row = {"workspace": workspace} | ({"call_id": call_id} if call_id else {})
        if before is not None:
            at, entry_id = before
            which["$or"] = [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": entry_id}}]
        with self._store.errors():
            found = await LedgerEntry.find(which).sort("-at", "-_id").limit(limit).to_list()
        return [msgspec.convert({"key": line.id, **line.model_dump(exclude={"id"})}, LedgerLine) for line in found]

    async def aside(self, workspace: str, limit: int) -> list[PutAside]:
        """What was put aside, newest first."""
        with self._store.errors():
            rows = (
                await collection(Quarantined).find({"workspace": workspace}).sort("heard_at", -1).limit(limit).to_list()
            )
        told = [(msgspec.json.decode(row["event"], type=Event), row) for row in rows]
        return [
            PutAside(event.id, event.type, event.subject, event.time, row["heard_at"], row["reason"])
            for event, row in told
        ]

    async def sums(self, workspace: str, pieces: Collection[Piece]) -> dict[Piece, bytes]:
        """What was used in each piece of time, for `grains.decode`; nothing of those in which nothing was."""
        with self._store.errors():
            return await _sums(workspace, pieces)

    # ---- in a transaction ------------------------------------------------------------------------------------------

    async def _sift(self, unit: Unit, batch: Sequence[Told]) -> tuple[list[Used], Counted]:
        ids = {told.used.event_id for told in batch}
        rows = await by_ids(UsageEvent, ids, ["fingerprint"], unit.session)
        seen = {str(row["_id"]): str(row["fingerprint"]) for row in rows}
        fresh: list[Used] = []
        again = odd = 0
        for used, told in batch:
            fingerprint = seen.setdefault(used.event_id, "")
            if not fingerprint:
                seen[used.event_id] = used.fingerprint
                fresh.append(used)
            elif fingerprint == used.fingerprint:
                again += 1
            else:
                odd += 1
                await self._put_aside(unit, told, "the id of another event")
        return fresh, Counted(len(fresh), again, odd)

    async def _charge(self, unit: Unit, workspace: str, fresh: Sequence[Used]) -> None:
        entries = [entry for used in fresh if (entry := used.entry())]
        await self._burn(unit, workspace, entries, len(fresh), [used.call_id for used in fresh if used.kind == "call"])

    async def _burn(
        self, unit: Unit, workspace: str, entries: Sequence[Entry], events: int, ended: Collection[str] = ()
    ) -> None:
        """Write the ledger, burn the credit, release what was held for calls that have ended, and tell of it."""
        standing = await self._standing(unit, workspace)
        account, over = expired(standing.account, self._clock())
        account = debited(account, entries)
        for call_id in ended:
            account = released(account, call_id)
        account, below = crossings(account)
        await self._write(unit, workspace, [*over, *entries])
        revision = await self._keep(unit, standing, account)
        updated = UsageUpdated(events, -sum(entry.amount for entry in entries), account.balance)
        alerts = [CreditThreshold(threshold, account.balance) for threshold in below]
        await unit.publish(
            self._event(Topic.USAGE_UPDATED, updated, workspace, f"{revision}"),
            *(
                self._event(Topic.CREDIT_THRESHOLD, alert, workspace, f"{alert.threshold}/{revision}")
                for alert in alerts
            ),
        )

    async def _add_up(self, unit: Unit, workspace: str, fresh: Sequence[Used]) -> None:
        call_ids = {used.call_id for used in fresh if used.call_id}
        calls = await self._calls(unit, workspace, call_ids)
        found = changes(fresh, calls)
        added = spread(found.cells)
        have = await _sums(workspace, added, unit.session)
        await put(
            UsageSum,
            {
                _sum_id(workspace, piece): {
                    "workspace": workspace,
                    "parts": encode(merged([decode(have[piece]) if piece in have else {}, parts])),
                }
                for piece, parts in added.items()
            },
            unit.session,
        )
        await increase(UsageCall, _call_rows(workspace, found), unit.session)
        for call_id, agent in found.ended.items():
            ending = {"$set": {"ended": True, "agent": agent}}
            await collection(UsageCall).update_one(
                {"_id": f"{workspace}/{call_id}"}, ending, upsert=True, session=unit.session
            )

    async def _calls(self, unit: Unit, workspace: str, call_ids: set[str]) -> dict[str, CallSums]:
        rows = await by_ids(UsageCall, [f"{workspace}/{call_id}" for call_id in call_ids], session=unit.session)
        return {
            call_id: CallSums(call_id, row.get("agent", ""), bool(row.get("ended")), row.get("parts", {}))
            for row in rows
            for call_id in [str(row["_id"]).partition("/")[2]]
        }

    async def _standing(self, unit: Unit, workspace: str) -> Standing:
        found = await collection(CreditAccount).find_one({"_id": workspace}, session=unit.session)
        return _standing(workspace, found)

    async def _keep(self, unit: Unit, before: Standing, account: Account) -> int:
        """Put the account in the place of the one that was read; returns its revision.

        Raises Conflict when somebody has changed that one meanwhile.
        """
        revision = before.account.revision + 1
        row = _account_row(account, before.rules) | {"revision": revision}
        if before.account.revision == 0:
            await collection(CreditAccount).insert_one({"_id": account.workspace, **row}, session=unit.session)
            return revision
        which = {"_id": account.workspace, "revision": before.account.revision}
        done = await collection(CreditAccount).update_one(which, {"$set": row}, session=unit.session)
        if not done.matched_count:
            raise Conflict("the account has just been changed")
        return revision

    async def _write(self, unit: Unit, workspace: str, entries: Sequence[Entry]) -> None:
        if entries:
            rows = [entry_row(workspace, entry) for entry in entries]
            await collection(LedgerEntry).insert_many(rows, session=unit.session)

    async def _put_aside(self, unit: Unit, told: Event, reason: str) -> None:
        written = _encode(told)
        row = {
            "workspace": told.workspace,
            "event": written,
            "reason": reason,
            "heard_at": self._clock(),
        }
        row_id = derived_id("odd", told.id, written.decode())
        await collection(Quarantined).update_one(
            {"_id": row_id}, {"$setOnInsert": row}, upsert=True, session=unit.session
        )

    def _event(self, topic: Topic, data: msgspec.Struct, workspace: str, key: str) -> Event:
        return event(topic, data, source="usage", subject=workspace, key=key, time=self._clock(), workspace=workspace)

    async def _again_after_collisions(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        for _ in range(_COLLISIONS):
            try:
                return await self._store.run(work)
            except AlreadyThere:
                continue  # another process has just made the same thing
            except Conflict as error:
                if error.reason:
                    raise
        raise Conflict("others keep changing the same account")


def _standing(workspace: str, found: Row | None) -> Standing:
    if found is None:
        return Standing(Account(workspace=workspace), CreditRules())
    account = Account(
        workspace=workspace,
        grants=_GRANTS.decode(found["grants"]),
        debt=found["debt"],
        holds={hold_id: _HOLD.decode(hold) for hold_id, hold in found["holds"].items()},
        enforced=found["enforced"],
        overdraft=found["overdraft"],
        thresholds=found["thresholds"],
        crossed=found["crossed"],
        revision=found["revision"],
    )
    rules = CreditRules(account.thresholds, account.overdraft, found["time_zone"])
    return Standing(account, rules)


def _account_row(account: Account, rules: CreditRules) -> Row:
    return {
        "grants": _encode(account.grants),
        "debt": account.debt,
        "holds": {hold_id: _encode(hold).decode() for hold_id, hold in account.holds.items()},
        "available": account.available,
        "spendable": account.spendable,
        "due_at": account.due_at,
        "enforced": account.enforced,
        "overdraft": account.overdraft,
        "thresholds": account.thresholds,
        "crossed": account.crossed,
        "time_zone": rules.time_zone,
    }


async def _sums(workspace: str, pieces: Collection[Piece], session: Session | None = None) -> dict[Piece, bytes]:
    ids = {_sum_id(workspace, piece): piece for piece in pieces}
    rows = await by_ids(UsageSum, ids, ["parts"], session)
    return {ids[str(row["_id"])]: bytes(row["parts"]) for row in rows}


def _sum_id(workspace: str, piece: Piece) -> str:
    return f"{workspace}|{piece.length}|{piece.start}"


def _call_rows(workspace: str, found: Changes) -> dict[str, tuple[Row, Row]]:
    rows = {}
    for call_id, parts in found.parts.items():
        added = {f"parts.{part}.{name}": amount for part, sums in parts.items() for name, amount in sums.items()}
        if added:
            rows[f"{workspace}/{call_id}"] = ({"workspace": workspace}, added)
    return rows
