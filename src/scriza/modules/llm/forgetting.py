"""Answers that were made for somebody who is to be forgotten.

An answer is kept under what decides it, and may serve many calls, so nobody knows in whose it was made. All of the
workspace are forgotten: they would run out within the hour anyway, and are made again when they are wanted.
"""

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event
from scriza.modules.llm.cache import AnswerCache
from scriza.ports.erasure import erased_event, erased_in
from scriza.ports.events import Publisher

MODULE = "llm"
_log = structlog.get_logger()


class ThoughtForgetting:
    """The consumer of `caller.forgotten` for models' answers."""

    def __init__(self, cache: AnswerCache, publisher: Publisher, clock: WallClock = utc_now) -> None:
        self._cache, self._publisher, self._clock = cache, publisher, clock

    async def forget(self, order: Event) -> None:
        """Forget the answers and tell so. Raises what the stores raise; doing it again is fine."""
        answers = await self._cache.forget(order.workspace)
        _log.info("answers.forgotten", answers=answers)
        await self._publisher.publish(erased_event(order, MODULE, {"answers": answers}, self._clock()))

    async def erased(self, proof: Event) -> None:
        """Answers were forgotten in another process: they go from this one's memory as well."""
        if erased_in(proof).module == MODULE:
            await self._cache.forget(proof.workspace)
