"""Writes the journal behind the call: the audio path never waits for the store."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Event
from scriza.modules.telephony.call_log import CallLog, Entry
from scriza.ports.telephony import CallMetrics

_BOUND = 5_000
"""Steps that may wait for the store: more than the longest call has."""
_PATIENCE_S = 5.0
_AGAIN_S = (0.05, 0.2, 1.0)
_log = structlog.get_logger()


class JournalWriter:
    """Appends steps of one call, in order, one transaction each. A store that is away is tried until it is back."""

    def __init__(self, log: CallLog) -> None:
        self._log = log
        self._steps: asyncio.Queue[tuple[Sequence[Entry], Sequence[Event], CallMetrics]] = asyncio.Queue(_BOUND)

    def append(self, entries: Sequence[Entry], events: Sequence[Event], metrics: CallMetrics) -> None:
        """One step of the call, kept together, with the metrics as they are then."""
        try:
            self._steps.put_nowait((entries, events, metrics))
        except asyncio.QueueFull:
            _log.error("telephony.journal_full", lost_entries=len(entries))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            step = await self._steps.get()
            await persistently(partial(self._log.append, *step), "journal")
            self._steps.task_done()

    async def flushed(self) -> None:
        """Return when everything appended so far is kept."""
        await self._steps.join()


async def persistently(keep: Callable[[], Awaitable[object]], what: str) -> None:
    """Do what the store has to do until it has done it; the caller sets the deadline. Everything kept is idempotent."""
    failures = 0
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await keep()
                return
        except (ScrizaError, TimeoutError) as error:
            _log.warning("telephony.store_waited_for", what=what, error=type(error).__name__, failures=failures)
        await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
        failures += 1
