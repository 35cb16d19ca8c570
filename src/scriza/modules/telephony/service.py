"""Telephony's port: what can be asked about calls, and the calls that nobody will end."""

from datetime import datetime, timedelta

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.cursor import cursor, read_cursor
from scriza.kernel.errors import NotFound
from scriza.kernel.principal import current
from scriza.modules.telephony.announcements import call_completed, told_at_the_end
from scriza.modules.telephony.call_log import CallLog, CallReader, Ending, IdleCall, Place
from scriza.modules.telephony.recordings.service import Recordings
from scriza.ports.telephony import CallPage, CallQuery, CallRecord, RecordingLink

_log = structlog.get_logger()

LOST = "lost"
"""The reason of a call whose session is gone without having ended it."""

_BATCH = 100


class TelephonyService:
    """Implements Telephony for the workspace of the request; without `recordings` no call was recorded."""

    def __init__(self, reader: CallReader, recordings: Recordings | None = None) -> None:
        self._reader = reader
        self._recordings = recordings

    async def call(self, call_id: str) -> CallRecord:
        """One call with its turns. Raises NotFound."""
        record = await self._reader.record(current().principal.workspace, call_id)
        if record is None:
            raise NotFound("there is no such call")
        return record

    async def calls(self, query: CallQuery) -> CallPage:
        """A page of calls, newest first. Raises BadInput for a cursor that no page has given."""
        after = read_cursor(query.cursor, Place) if query.cursor else None
        found = await self._reader.page(current().principal.workspace, query.limit + 1, after)
        page = found[: query.limit]
        more = len(found) > len(page)
        return CallPage(data=page, next=cursor(Place(page[-1].started_at, page[-1].call_id)) if more else "")

    async def recording(self, call_id: str) -> RecordingLink:
        """Where the call can be heard. Raises NotFound, and Conflict until the recording is complete."""
        await self.call(call_id)
        if self._recordings is None:
            raise NotFound("there is no recording of this call")
        return await self._recordings.link(call_id)


async def recover(
    calls: CallLog, reader: CallReader, *, idle_for: timedelta, clock: WallClock = utc_now, limit: int = 10_000
) -> int:
    """Close, with the reason `lost`, the calls that have not ended and to which nothing happened for `idle_for`.

    Returns how many were closed. A call that goes on in another process in this very moment is left alone, and one
    whose session is alive after all still gets its true reason from it.
    """
    since = clock() - idle_for
    closed = 0
    for _ in range(0, limit, _BATCH):
        idle = await reader.idle(since, _BATCH)
        ended = [await _close(calls, call, since, clock()) for call in idle]
        closed += sum(ended)
        if not any(ended):
            break
    if closed:
        _log.info("calls.recovered", closed=closed)
    return closed


async def _close(calls: CallLog, idle: IdleCall, since: datetime, now: datetime) -> bool:
    call = idle.call
    duration = max(0, round((idle.changed_at - call.started_at).total_seconds()))
    metrics = msgspec.structs.replace(call.metrics, turns=len(call.turns))
    ending = Ending(
        call_id=call.call_id, reason=LOST, at=now, duration_seconds=duration, metrics=metrics, idle_since=since
    )
    completed = call_completed(call, metrics, status=call.status, reason=LOST, outcome="", seconds=duration)
    return await calls.end(ending, *told_at_the_end(call, completed, now))
