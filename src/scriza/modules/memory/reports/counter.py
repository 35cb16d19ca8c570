"""Counts calls: in the background, by what their logs say, each as often as its log changes.

A call is never added twice: what it added before is taken back in the same transaction, so that repeated, late and
corrected events all lead to the same sums.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from itertools import groupby

import structlog

from scriza.kernel.calendar import days
from scriza.kernel.errors import ScrizaError
from scriza.modules.memory.reports.books import FiguresBook, Log, Mark
from scriza.modules.memory.reports.counting import Leads, cell_of, figures_of
from scriza.modules.memory.reports.days import Counted

_log = structlog.get_logger()

BATCH = 100


class Counter:
    """Counts what waits to be counted.

    Several may do so at the same time, only the work is then done twice; `mine` says whether it is this one's turn.
    """

    def __init__(self, book: FiguresBook, log: Log, leads: Leads, mine: Callable[[], Awaitable[bool]]) -> None:
        self._book = book
        self._log = log
        self._leads = leads
        self._mine = mine

    async def catch_up(self) -> None:
        """Count all that waits. What cannot be counted now goes behind others, and is tried again the next time."""
        while marks := await self._book.uncounted(BATCH):
            if not await self._mine() or await self._take_up(marks) < BATCH:
                return

    async def rebuild(self, workspace: str, since: date, until: date) -> int:
        """Count the calls of these days of UTC anew and add the days up again; how many sums were wrong.

        It is done whoever's turn it is, and reports can be read meanwhile. Of calls whose log is no more the figures
        stay as they are.
        """
        wrong = 0
        for day in days(since, until):
            await self._book.mark(workspace, await self._log.call_ids(workspace, day))
            while marks := await self._book.uncounted(BATCH):
                if await self._take_up(marks) < BATCH:
                    break
            wrong += await self._book.rebuild(workspace, day)
        _log.info("reports.rebuilt", workspace=workspace, wrong=wrong)
        return wrong

    async def _take_up(self, marks: Sequence[Mark]) -> int:
        """How many of these calls are dealt with."""
        done = 0
        for workspace, of_one in groupby(sorted(marks, key=lambda mark: mark.workspace), lambda mark: mark.workspace):
            done += await self._count(workspace, list(of_one))
        return done

    async def _count(self, workspace: str, marks: Sequence[Mark]) -> int:
        counts, gone, later = list[tuple[Mark, Counted]](), list[Mark](), list[Mark]()
        for mark in marks:
            try:
                counted = await self._counted(workspace, mark.call_id)
            except ScrizaError as error:
                _log.warning("reports.call_not_counted", call_id=mark.call_id, reason=error.detail)
                later.append(mark)
                continue
            if counted is None:
                gone.append(mark)
            else:
                counts.append((mark, counted))
        if gone:
            await self._book.drop(gone)
        if later:
            await self._book.put_off(later)
        if counts:
            await self._book.count(workspace, counts)
        return len(marks) - len(later)

    async def _counted(self, workspace: str, call_id: str) -> Counted | None:
        call = await self._log.call(workspace, call_id)
        if call is None or call.started_at is None:
            return None
        led = await self._leads(workspace, call.playbook)
        return Counted(cell_of(call, call.started_at, led), figures_of(call, led))
