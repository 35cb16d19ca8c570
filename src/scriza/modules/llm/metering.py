"""Telling what was used, without any reply waiting for it."""

import asyncio
from collections import deque

import structlog

from scriza.kernel.clock import WallClock
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import new_id
from scriza.kernel.principal import RequestContext
from scriza.ports.events import Publisher
from scriza.ports.usage import LlmUsed

logger = structlog.get_logger()

_WAITING_AT_MOST = 10_000
_BATCH = 100
_PUBLISH_S = 5.0
_CLOSE_S = 5.0
_PAUSES_S = (0.2, 1.0, 5.0)
"""Waits between tries to publish a batch; after the last try its events are given up and counted in the log."""


class Meter:
    """Publishes `usage.llm` events in the background, in batches; must be closed."""

    def __init__(self, publisher: Publisher, clock: WallClock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._waiting: deque[Event] = deque()
        self._under_way = 0
        self._task: asyncio.Task[None] | None = None

    def tell(self, used: LlmUsed, asked: RequestContext) -> None:
        """Have the event published soon. Its key is the id of the request that asked for the completion."""
        if len(self._waiting) >= _WAITING_AT_MOST:
            logger.error("llm.usage_lost", events=1, reason="too many wait to be published")
            return
        request_id = asked.request_id or new_id("req")
        self._waiting.append(
            event(
                Topic.USAGE_LLM,
                used,
                source="llm",
                subject=used.call_id or request_id,
                key=request_id,
                time=self._clock(),
                workspace=asked.principal.workspace,
            )
        )
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._publish_all(), name="llm-usage")

    async def close(self) -> None:
        """Publish what is waiting, within seconds."""
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=_CLOSE_S)
        if late:
            self._task.cancel()
            logger.error("llm.usage_lost", events=len(self._waiting) + self._under_way, reason="closed")

    async def _publish_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            self._under_way = len(batch)
            await self._publish(batch)

    async def _publish(self, batch: list[Event]) -> None:
        for pause in (*_PAUSES_S, None):
            try:
                async with asyncio.timeout(_PUBLISH_S):
                    await self._publisher.publish(*batch)
            except Exception as error:  # the task's outermost shell: what a store's driver raises is not known here
                if pause is None:
                    logger.error("llm.usage_lost", events=len(batch), reason=type(error).__name__)
                    return
                await asyncio.sleep(pause)
            else:
                return
