"""Telling facts without waiting for the store: a bounded buffer, emptied by one task."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from itertools import islice
from types import TracebackType

import structlog

from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Event
from scriza.ports.events import Publisher

_log = structlog.get_logger()

_WAITING_AT_MOST = 10_000
_BATCH = 200
_PUBLISH_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0
"""Before a batch that could not be published is tried again, also while closing."""
_REFUSALS = 4
"""After so many a batch is refused for good: it is the events' fault, and not that the store is away."""
_CLOSE_S = 5.0


class BackgroundTeller:
    """Implements `ports.events.Teller` by `publisher`; runs while it is entered as a context.

    What is told while nothing is being published leaves at once, what is told meanwhile leaves together: a process that
    is killed loses what it told in the last milliseconds. While the store is away all is kept and tried again, up to
    10,000 events. An event that the store refuses is given up, so that those behind it are kept. Closing publishes what
    waits, within 5 s.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: deque[Event] = deque()
        self._woken = asyncio.Event()
        self._open = False

    def tell(self, *events: Event) -> None:
        """Have the events kept soon."""
        room = _WAITING_AT_MOST - len(self._waiting) if self._open else 0
        self._waiting += events[:room]
        self._woken.set()
        if len(events) > room:
            _lost(len(events) - room, "full" if self._open else "closed")

    async def __aenter__(self) -> "BackgroundTeller":
        self._open = True
        self._task = asyncio.create_task(self._publish_all(), name="teller")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        self._woken.set()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._task
        finally:
            if self._waiting:
                _lost(len(self._waiting), "closed")

    async def _publish_all(self) -> None:
        size = _BATCH
        while self._open or self._waiting:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                batch = list(islice(self._waiting, size))
                kept = await self._kept(batch)
                if not kept and len(batch) > 1:
                    size = 1  # so that the one that is refused is found among the others
                    continue
                if not kept:
                    _lost(1, "refused")
                for _ in batch:
                    self._waiting.popleft()
                size = min(2 * size, _BATCH)

    async def _kept(self, batch: Sequence[Event]) -> bool:
        """Publish the batch, however long the store is away; False when it is refused."""
        pause, refusals = _FIRST_PAUSE_S, 0
        while refusals < _REFUSALS:
            try:
                async with asyncio.timeout(_PUBLISH_S):
                    await self._publisher.publish(*batch)
            except (ScrizaError, TimeoutError) as error:
                _log.warning("events.wait", events=len(self._waiting), error=type(error).__name__)
            except Exception as error:  # a store's driver has more errors than can be named here
                _log.warning("events.refused", events=len(batch), error=type(error).__name__)
                refusals += 1
            else:
                return True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        return False


def _lost(events: int, reason: str) -> None:
    _log.error("events.lost", events=events, reason=reason)
