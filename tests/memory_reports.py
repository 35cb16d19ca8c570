"""The figures and the log that they are counted from, in memory."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from scriza.kernel.ids import new_id
from scriza.modules.memory.reports.books import ALL_QUARTERS, DaysWanted, Mark, StoredDay, Unanswerable
from scriza.modules.memory.reports.counting import Led
from scriza.modules.memory.reports.days import Changes, Counted, Day, DayKey, added_up
from scriza.modules.memory.reports.figures import TimedFigures
from scriza.ports.memory import RememberedCall


class MemoryFigures:
    """Implements FiguresBook; days are kept encoded, as the store keeps them."""

    def __init__(self) -> None:
        self.marks: dict[str, Mark] = {}
        self.counted: dict[tuple[str, str], Counted] = {}
        self.sums: dict[tuple[str, DayKey], tuple[bytes, dict[int, bytes]]] = {}

    async def uncounted(self, limit: int) -> list[Mark]:
        return list(self.marks.values())[:limit]

    async def count(self, workspace: str, counts: Sequence[tuple[Mark, Counted]]) -> None:
        changes = Changes()
        for mark, counted in counts:
            have = self.counted.get((workspace, mark.call_id))
            if have is None or not have.sealed:
                changes.replace(have, counted)
                self.counted[workspace, mark.call_id] = counted
        self._change(workspace, changes)
        await self.drop([mark for mark, _ in counts])

    async def put_off(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            if waiting := self.marks.pop(mark.call_id, None):
                self.marks[mark.call_id] = waiting

    async def drop(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            if self.marks.get(mark.call_id) == mark:
                del self.marks[mark.call_id]

    async def mark(self, workspace: str, call_ids: Sequence[str]) -> None:
        for call_id in call_ids:
            self.marks[call_id] = Mark(workspace, call_id, new_id("mark"))

    async def seal(self, workspace: str, call_ids: Sequence[str], *, erase: bool) -> None:
        changes = Changes()
        for call_id in call_ids:
            if have := self.counted.get((workspace, call_id)):
                sealed = msgspec.structs.replace(have, sealed=True)
                changes.replace(have, sealed)
                self.counted[workspace, call_id] = sealed
            if erase:
                self.counted.pop((workspace, call_id), None)
                self.marks.pop(call_id, None)
        self._change(workspace, changes)

    async def days(self, workspace: str, wanted: DaysWanted) -> list[StoredDay]:
        return [
            StoredDay(key, total, {slot: each for slot, each in quarters.items() if slot in wanted.quarters})
            for (owner, key), (total, quarters) in self.sums.items()
            if owner == workspace
            and wanted.since <= key.day <= wanted.until
            and wanted.agent in ("", key.agent)
            and wanted.direction in ("", key.direction)
            and (not wanted.playbooks or key.playbook in wanted.playbooks)
        ]

    async def rebuild(self, workspace: str, day: date) -> int:
        calls = [each for (owner, _), each in self.counted.items() if owner == workspace and each.cell.day == day]
        right = added_up(each for each in calls if not each.sealed)
        wanted = DaysWanted(day, day, ALL_QUARTERS)
        have = {kept.key: kept.open(TimedFigures) for kept in await self.days(workspace, wanted) if not kept.key.sealed}
        wrong = [key for key in right.keys() | have.keys() if right.get(key) != have.get(key)]
        for key in wrong:
            self._keep(workspace, key, right.get(key, Day.new()))
        return len(wrong)

    def _change(self, workspace: str, changes: Changes) -> None:
        for key in changes.by_day:
            kept = self.sums.get((workspace, key))
            day = Day.decode(*kept, TimedFigures) if kept else Day.new()
            changes.apply(key, day)
            self._keep(workspace, key, day)

    def _keep(self, workspace: str, key: DayKey, day: Day[TimedFigures]) -> None:
        if day.empty:
            self.sums.pop((workspace, key), None)
        else:
            self.sums[workspace, key] = day.encode()


class MemoryLog:
    """Implements Log; `write` is what memory does when something is told of a call."""

    def __init__(self, figures: MemoryFigures) -> None:
        self.calls: dict[tuple[str, str], RememberedCall] = {}
        self._figures = figures

    async def write(self, call: RememberedCall, workspace: str = "default") -> None:
        self.calls[workspace, call.call_id] = call
        await self._figures.mark(workspace, [call.call_id])

    async def forget(self, call_id: str, workspace: str = "default") -> None:
        await self._figures.seal(workspace, [call_id], erase=True)
        self.calls.pop((workspace, call_id), None)

    async def call(self, workspace: str, call_id: str) -> RememberedCall | None:
        return self.calls.get((workspace, call_id))

    async def call_ids(self, workspace: str, day: date) -> list[str]:
        told = [call for (owner, _), call in self.calls.items() if owner == workspace]
        return [call.call_id for call in told if call.started_at and call.started_at.astimezone(UTC).date() == day]

    async def unanswered(self, workspace: str, since: datetime, until: datetime, limit: int) -> list[Unanswerable]:
        found = [
            Unanswerable(
                *(call.call_id, turn.said, turn.said_in or turn.stage, turn.said_at),
                *(call.playbook, call.direction, call.outcome),
            )
            for (owner, _), call in self.calls.items()
            for turn in call.turns
            if owner == workspace and turn.unanswered and turn.said and turn.said_at and since <= turn.said_at < until
        ]
        return sorted(found, key=lambda each: each.said_at, reverse=True)[:limit]


async def always() -> bool:
    """It is this one's turn."""
    return True


async def kite(workspace: str, version: str) -> Led:
    """Every version is one of the playbook that is named before its number: ``kite.2``."""
    return Led(version.partition(".")[0], frozenset({"booked"}), "en-US")
