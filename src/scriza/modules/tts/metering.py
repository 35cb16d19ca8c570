"""What was spoken, told to whoever counts it: off the audio path, in batches."""

import asyncio
import contextlib

import structlog

from scriza.kernel.clock import WallClock
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import new_id
from scriza.kernel.principal import current
from scriza.ports.events import Publisher
from scriza.ports.usage import TtsUsed

_log = structlog.get_logger()

_BATCH = 64
_WAITING = 4096
_PUBLISH_S = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
"""Seconds before a batch that could not be kept is tried again."""
_CLOSE_S = 5.0


class Meter:
    """Publishes `usage.tts`. What cannot be kept now is tried again until `close`."""

    def __init__(self, publisher: Publisher, clock: WallClock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._events: asyncio.Queue[Event] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None

    def count(self, used: TtsUsed, clip: str) -> None:
        """Count one clip of the request that is being served. A request may have several, so the key names both."""
        context = current()
        request_id = context.request_id or new_id("req")
        told = event(
            Topic.USAGE_TTS,
            used,
            source="tts",
            subject=used.call_id or request_id,
            key=f"{request_id}/{clip}",
            time=self._clock(),
            workspace=context.principal.workspace,
        )
        try:
            self._events.put_nowait(told)
        except asyncio.QueueFull:
            _log.error("tts.usage_lost", id=told.id)
            return
        if self._task is None:
            self._task = asyncio.create_task(self._publish(), name="tts meter")

    async def close(self) -> None:
        """Publish what is waiting, within seconds."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._events.join()
        except TimeoutError:
            _log.error("tts.usage_lost", events=self._events.qsize())
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _publish(self) -> None:
        while True:
            batch = [await self._events.get()]
            while len(batch) < _BATCH and not self._events.empty():
                batch.append(self._events.get_nowait())
            pause = _FIRST_PAUSE
            while not await self._published(batch):
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            for _ in batch:
                self._events.task_done()

    async def _published(self, batch: list[Event]) -> bool:
        try:
            async with asyncio.timeout(_PUBLISH_S):
                await self._publisher.publish(*batch)
        except Exception as error:  # the task's outermost shell: what a store's driver raises is not known here
            _log.warning("tts.usage_waits", events=len(batch), error=type(error).__name__)
            return False
        return True
