"""Writes the journal behind the call: the audio path never waits for the store."""

import asyncio
from collections.abc import Sequence

import structlog

from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Event
from scriza.modules.telephony.call_log import CallLog, Entry

_BOUND = 200
_AGAIN_S = (0.05, 0.2, 1.0)
_log = structlog.get_logger()


class JournalWriter:
    """Appends steps of one call, in order, one transaction each. A store that is away is tried until it is back."""

    def __init__(self, log: CallLog) -> None:
        self._log = log
        self._steps: asyncio.Queue[tuple[Sequence[Entry], Sequence[Event]]] = asyncio.Queue(_BOUND)

    def append(self, entries: Sequence[Entry], events: Sequence[Event]) -> None:
        """One step of the call, kept together."""
        try:
            self._steps.put_nowait((entries, events))
        except asyncio.QueueFull:
            _log.error("telephony.journal_full", lost_entries=len(entries))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            entries, events = await self._steps.get()
            await self._write(entries, events)
            self._steps.task_done()

    async def flushed(self) -> None:
        """Return when everything appended so far is kept."""
        await self._steps.join()

    async def _write(self, entries: Sequence[Entry], events: Sequence[Event]) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(5):
                    return await self._log.append(entries, events)
            except (ScrizaError, TimeoutError) as error:
                _log.warning("telephony.journal_waits", error=type(error).__name__, failures=failures)
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
            failures += 1
