"""Days that are over are told once each, as `usage.summary`: what was used on them, in the workspace's own zone.

A day is told a little after its end, when what happened on it has been counted as a rule. What comes later still is
counted on its day, and shows in whatever is asked of it then; the telling is not repeated. A process that was down
tells what it has missed, of the last days; a day on which nothing was used is passed over in silence.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from scriza.kernel.calendar import beginning, zone
from scriza.kernel.clock import WallClock, utc_now
from scriza.modules.usage.service import UsageService
from scriza.modules.usage.stored import MongoUsage
from scriza.modules.usage.summaries import Span
from scriza.modules.usage.told_days import MongoToldDays
from scriza.ports.credit import DayTold, Totals

_SETTLED_AFTER = timedelta(minutes=10)
_MOST_MISSED = 7

_log = structlog.get_logger()


class Daily:
    """Looks in all workspaces for days to tell; several processes may, and each day is told by one of them."""

    def __init__(
        self, book: MongoUsage, told: MongoToldDays, service: UsageService, clock: WallClock = utc_now
    ) -> None:
        self._book, self._told, self._service, self._clock = book, told, service, clock

    async def tell_due(self) -> int:
        """Tell what is over; returns how many days that were. Raises what the store raises; once more is fine."""
        told = 0
        for workspace in await self._book.workspaces():
            told += await self._tell(workspace)
        return told

    async def _tell(self, workspace: str) -> int:
        tz = (await self._book.standing(workspace)).rules.time_zone
        settled = self._clock() - _SETTLED_AFTER
        last = await self._told.last(workspace, begin=beginning(settled.astimezone(zone(tz)).date(), zone(tz)))
        told = 0
        for since, until in days_over(last, settled, zone(tz)):
            data = await self._day(workspace, Span(since, until, tz))
            moved = await self._told.tell(workspace, last, until, data if _was_used(data.totals) else None)
            if not moved:
                break  # another process is at it
            _log.info("usage.day_told", day=data.day, calls=data.totals.calls)
            last, told = until, told + 1
        return told

    async def _day(self, workspace: str, span: Span) -> DayTold:
        found = await self._service.summed(workspace, span)
        balance = (await self._book.standing(workspace)).account.balance
        day = span.since.astimezone(zone(span.tz)).date().isoformat()
        return DayTold(day, span.tz, span.since, span.until, found.totals, found.top_agents, balance)


def days_over(last: datetime, settled: datetime, here: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """From where the last day that was told has ended, the days that are over by `settled`: from when to when.

    Each begins where the one before it ended, so that after a change of the zone the first is shorter or longer, and no
    hour is told twice or never. Of many that were missed, the latest are told.
    """
    since = max(last, beginning(settled.astimezone(here).date() - timedelta(days=_MOST_MISSED), here))
    while (until := beginning(since.astimezone(here).date() + timedelta(days=1), here)) <= settled:
        yield since, until
        since = until


def _was_used(totals: Totals) -> bool:
    return bool(totals.calls or totals.total_tokens or totals.characters or totals.audio_ms or totals.cost_micro_usd)
