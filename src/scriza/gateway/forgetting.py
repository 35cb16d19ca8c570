"""Replies that are kept under their ``Idempotency-Key``, in a workspace where somebody is to be forgotten.

Nobody knows which of them tell of whom, so all of the workspace are erased. Their keys stay used for as long as they
would have been: what was done once is not done again, and who asks is told so.
"""

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event
from scriza.ports.erasure import erased_event, erased_in
from scriza.ports.events import Publisher
from scriza.wire.idempotency import Replays

MODULE = "gateway"
_log = structlog.get_logger()


class ReplyForgetting:
    """The consumer of `caller.forgotten` for replies."""

    def __init__(self, replays: Replays, publisher: Publisher, clock: WallClock = utc_now) -> None:
        self._replays, self._publisher, self._clock = replays, publisher, clock

    async def forget(self, order: Event) -> None:
        """Erase the replies and tell so. Raises what the stores raise; doing it again is fine."""
        replies = await self._replays.forget(order.workspace)
        _log.info("replies.forgotten", replies=replies)
        await self._publisher.publish(erased_event(order, MODULE, {"replies": replies}, self._clock()))

    async def erased(self, proof: Event) -> None:
        """Replies were erased in another process: they go from this one's memory as well."""
        if erased_in(proof).module == MODULE:
            await self._replays.forget(proof.workspace)
