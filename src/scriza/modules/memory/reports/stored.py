"""The figures, and the log that they are counted from, in the store."""

from collections.abc import Sequence
from datetime import date, datetime

from scriza.modules.memory.book import MemoryBook
from scriza.modules.memory.documents import Session
from scriza.modules.memory.reports.books import ALL_QUARTERS, DaysWanted, Mark, StoredDay, Unanswerable
from scriza.modules.memory.reports.days import Changes, Counted, Day, added_up
from scriza.modules.memory.reports.documents import (
    delete_marks,
    mark_uncounted,
    put_off,
    read_call_ids,
    read_counted,
    read_counted_on,
    read_days,
    read_marks,
    read_unanswered,
    write_changes,
    write_counted,
    write_day,
)
from scriza.modules.memory.reports.figures import TimedFigures
from scriza.ports.store import Store, UnitOfWork


class StoredLog:
    """Implements Log on memory's book and its documents."""

    def __init__(self, store: Store[Session], book: MemoryBook) -> None:
        self._store = store
        self.call = book.call

    async def call_ids(self, workspace: str, day: date) -> list[str]:
        """See Log."""
        with self._store.errors():
            return await read_call_ids(workspace, day)

    async def unanswered(self, workspace: str, since: datetime, until: datetime, limit: int) -> list[Unanswerable]:
        """See Log."""
        with self._store.errors():
            return await read_unanswered(workspace, since, until, limit)


class MongoFigures:
    """Implements FiguresBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def uncounted(self, limit: int) -> list[Mark]:
        """See FiguresBook."""
        with self._store.errors():
            return await read_marks(limit)

    async def count(self, workspace: str, counts: Sequence[tuple[Mark, Counted]]) -> None:
        """See FiguresBook."""

        async def work(unit: UnitOfWork[Session]) -> None:
            before = await read_counted(workspace, [mark.call_id for mark, _ in counts], unit.session)
            changes, written = Changes(), dict[str, Counted]()
            for mark, counted in counts:
                have = before.get(mark.call_id)
                if have == counted or (have is not None and have.sealed):
                    continue
                changes.replace(have, counted)
                written[mark.call_id] = counted
            await write_changes(workspace, changes, unit.session)
            await write_counted(workspace, written, unit.session)
            await delete_marks([mark for mark, _ in counts], unit.session)

        await self._store.run(work)

    async def put_off(self, marks: Sequence[Mark]) -> None:
        """See FiguresBook."""
        with self._store.errors():
            await put_off(marks)

    async def drop(self, marks: Sequence[Mark]) -> None:
        """See FiguresBook."""
        with self._store.errors():
            await delete_marks(marks)

    async def mark(self, workspace: str, call_ids: Sequence[str]) -> None:
        """See FiguresBook."""
        with self._store.errors():
            await mark_uncounted(workspace, call_ids)

    async def days(self, workspace: str, wanted: DaysWanted) -> list[StoredDay]:
        """See FiguresBook."""
        if not wanted.quarters:
            with self._store.errors():
                return await read_days(workspace, wanted)
        # A sum and its quarters are taken from each other, so they have to be of one moment.
        return await self._store.run(lambda unit: read_days(workspace, wanted, unit.session))

    async def rebuild(self, workspace: str, day: date) -> int:
        """See FiguresBook."""

        async def work(unit: UnitOfWork[Session]) -> int:
            calls = await read_counted_on(workspace, day, unit.session)
            right = added_up(counted for counted in calls if not counted.sealed)
            kept = await read_days(workspace, DaysWanted(day, day, ALL_QUARTERS), unit.session)
            have = {stored.key: stored.open(TimedFigures) for stored in kept if not stored.key.sealed}
            wrong = [key for key in right.keys() | have.keys() if right.get(key) != have.get(key)]
            for key in wrong:
                await write_day(workspace, key, right.get(key, Day.new()), unit.session)
            return len(wrong)

        return await self._store.run(work)
