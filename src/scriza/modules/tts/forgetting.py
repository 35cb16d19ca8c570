"""The clips that were made in the calls of somebody who is to be forgotten."""

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event
from scriza.modules.tts.cache import ClipCache
from scriza.modules.tts.call_clips import CallClips
from scriza.ports.erasure import erased_event, erased_in, forgotten_in
from scriza.ports.events import Publisher

MODULE = "tts"
_log = structlog.get_logger()


class SpeechForgetting:
    """The consumer of `caller.forgotten` for speech. Fixed lines, which are kept for good, are nobody's."""

    def __init__(self, clips: CallClips, cache: ClipCache, publisher: Publisher, clock: WallClock = utc_now) -> None:
        self._clips, self._cache, self._publisher, self._clock = clips, cache, publisher, clock

    async def forget(self, order: Event) -> None:
        """Erase the clips and tell so. Raises what the stores raise; doing it again is fine."""
        calls = forgotten_in(order).call_ids
        keys = await self._clips.of(order.workspace, calls)
        for key in keys:
            await self._cache.erase(key)
        self._cache.clear()
        await self._clips.forget(order.workspace, calls)
        _log.info("clips.forgotten", clips=len(keys))
        await self._publisher.publish(erased_event(order, MODULE, {"clips": len(keys)}, self._clock()))

    async def erased(self, proof: Event) -> None:
        """Somebody's clips are erased from the store: none of them may be left in this process's memory.

        What is still wanted is read from the store again.
        """
        if erased_in(proof).module == MODULE:
            self._cache.clear()
