"""Reports as their port has them: few documents are read, and added up in a thread."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from scriza.kernel.calendar import beginning, zone
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.principal import current
from scriza.modules.memory.reports import views
from scriza.modules.memory.reports.books import FiguresBook, Log, StoredDay, Unanswerable
from scriza.modules.memory.reports.comparing import compare
from scriza.modules.memory.reports.counting import Leads
from scriza.modules.memory.reports.figures import F, Figures, TimedFigures, total_of
from scriza.modules.memory.reports.likeness import groups
from scriza.modules.memory.reports.sums import added_up, period, reads, slices
from scriza.ports.reports import (
    By,
    Comparison,
    ComparisonQuery,
    Funnel,
    GroupedQuery,
    Interruptions,
    Latency,
    Objections,
    Overview,
    Period,
    ReportQuery,
    Sentiment,
    Unanswered,
    UnansweredQuery,
    UnansweredRow,
)

CONSIDERED = 1000
"""Utterances that are put together at most, the latest."""
_EXAMPLES = 5


class ReportsService:
    """Implements Reports."""

    def __init__(self, book: FiguresBook, log: Log, leads: Leads, clock: WallClock = utc_now) -> None:
        self._book = book
        self._log = log
        self._leads = leads
        self._clock = clock

    async def overview(self, query: GroupedQuery) -> Overview:
        """See Reports."""
        covered = self._period(query)
        return views.overview(covered, query.by, await self._rows(covered, query.by, query, Figures))

    async def objections(self, query: ReportQuery) -> Objections:
        """See Reports."""
        covered = self._period(query)
        return views.objections(covered, await self._total(covered, query))

    async def unanswered(self, query: UnansweredQuery) -> Unanswered:
        """See Reports."""
        covered, there = self._period(query), zone(query.tz)
        begin, end = beginning(covered.since, there), beginning(covered.until + timedelta(days=1), there)
        counted = (await self._total(covered, query)).unanswered
        said = await self._log.unanswered(current().principal.workspace, begin, end, CONSIDERED)
        said = [each for each in said if await self._wants(query, each)]
        found = await asyncio.to_thread(groups, said)
        rows = [_unanswered_row(group) for group in found[: query.limit]]
        return Unanswered(covered, rows, considered=len(said), counted=counted)

    async def interruptions(self, query: GroupedQuery) -> Interruptions:
        """See Reports."""
        covered = self._period(query)
        return views.interruptions(covered, query.by, await self._rows(covered, query.by, query, Figures))

    async def sentiment(self, query: ReportQuery) -> Sentiment:
        """See Reports."""
        covered = self._period(query)
        return views.sentiment(covered, await self._total(covered, query))

    async def latency(self, query: GroupedQuery) -> Latency:
        """See Reports."""
        covered = self._period(query)
        return views.latency(covered, query.by, await self._rows(covered, query.by, query, TimedFigures))

    async def funnel(self, query: ReportQuery) -> Funnel:
        """See Reports."""
        covered = self._period(query)
        return views.funnel(covered, await self._total(covered, query))

    async def comparison(self, query: ComparisonQuery) -> Comparison:
        """See Reports."""
        covered = period(query.since, query.until, query.tz, self._clock())
        both = ReportQuery(direction=query.direction)
        rows = await self._rows(covered, "playbook", both, Figures, playbooks=(query.a, query.b))
        a, b = (rows.get(version, Figures()) for version in (query.a, query.b))
        return Comparison(covered, query.a, query.b, compare(a, b))

    async def _wants(self, query: ReportQuery, said: Unanswerable) -> bool:
        wanted = ((query.playbook, said.playbook), (query.direction, said.direction), (query.outcome, said.outcome))
        if any(asked and asked != told for asked, told in wanted):
            return False
        if not query.agent:
            return True
        return (await self._leads(current().principal.workspace, said.playbook)).agent == query.agent

    def _period(self, query: ReportQuery) -> Period:
        return period(query.since, query.until, query.tz, self._clock())

    async def _total(self, covered: Period, query: ReportQuery) -> Figures:
        return total_of((await self._rows(covered, "direction", query, Figures)).values(), Figures)

    async def _rows(
        self, covered: Period, by: By, query: ReportQuery, kind: type[F], playbooks: tuple[str, ...] = ()
    ) -> dict[str, F]:
        """The figures of each row."""
        wanted = slices(covered, by)
        asked = playbooks or ((query.playbook,) if query.playbook else ())
        kept: list[StoredDay] = []
        for days in reads(wanted, agent=query.agent, playbooks=asked, direction=query.direction):
            kept += await self._book.days(current().principal.workspace, days)
        return await asyncio.to_thread(added_up, kept, wanted, by, kind, query.outcome)


def _unanswered_row(group: Sequence[Unanswerable]) -> UnansweredRow:
    latest = sorted(group, key=lambda each: each.said_at, reverse=True)
    calls = list(dict.fromkeys(each.call_id for each in latest))
    return UnansweredRow(
        words=group[0].words,
        count=len(group),
        calls=len(calls),
        stages=sorted({each.stage for each in group if each.stage}),
        examples=calls[:_EXAMPLES],
        last_said_at=latest[0].said_at,
    )
