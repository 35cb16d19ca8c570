"""What the store of events itself keeps of a caller, and how that is erased.

What nobody waits for any more goes. Of what a consumer still has to hear, the words go, and the figures stay until it
has heard them: what was used is paid for, and who learns late that a call has ended still learns it. The inbox holds
ids that are derived, and nothing that was said.
"""

from collections.abc import Sequence

import structlog
from pymongo.asynchronous.database import AsyncDatabase

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event, Topic
from scriza.ports.erasure import erased_event, forgotten_in
from scriza.ports.events import Publisher
from scriza_adapters.mongo.errors import translated
from scriza_adapters.mongo.outbox import OUTBOX, Row, lane_of, without
from scriza_adapters.mongo.relay import PARKED

WORDS = frozenset({Topic.UTTERANCE_TRANSCRIBED, Topic.REPLY_GENERATED, Topic.MESSAGE_RECEIVED})
"""Topics that tell what was said or written."""

_log = structlog.get_logger()


class EventForgetting:
    """The consumer of `caller.forgotten` for the outbox."""

    def __init__(self, database: AsyncDatabase[Row], publisher: Publisher, clock: WallClock = utc_now) -> None:
        self._outbox, self._parked = database[OUTBOX], database[PARKED]
        self._publisher, self._clock = publisher, clock

    async def forget(self, event: Event) -> None:
        """Erase what was told of these calls and of who made them. Doing it again is fine."""
        told = forgotten_in(event)
        erased = await self._purge(event.workspace, [*told.call_ids, told.caller])
        _log.info("events.forgotten", **erased)
        await self._publisher.publish(erased_event(event, "events", erased, self._clock()))

    async def _purge(self, workspace: str, subjects: Sequence[str]) -> dict[str, int]:
        lanes = {"lane": {"$in": [lane_of(workspace, subject) for subject in subjects]}}
        with translated():
            parked = await self._parked.delete_many(lanes)
            heard = await self._outbox.delete_many({**lanes, "waiting": []})
            stripped = 0
            for row in await self._outbox.find(lanes).to_list():
                stripped += await self._strip(row)
        return {"parked": parked.deleted_count, "heard": heard.deleted_count, "waiting": stripped}

    async def _strip(self, row: Row) -> bool:
        """Take the words out of a row that somebody has still to hear."""
        left = without(row, WORDS)
        if left == row["events"]:
            return False
        if left:
            await self._outbox.update_one({"_id": row["_id"]}, {"$set": {"events": left}})
        else:
            await self._outbox.delete_one({"_id": row["_id"]})
        return True
