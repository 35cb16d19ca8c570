"""A claim in the store: of all processes one does a piece of work that each of them could do.

It saves work, and nothing relies on it: two processes whose clocks disagree may both hold it for a moment.
"""

from datetime import UTC, datetime, timedelta

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.ids import DEFAULT_WORKSPACE, new_id
from scriza.modules.memory.documents import Session, claims
from scriza.ports.store import Store

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Claim:
    """One process's claim to the work of this name; it lapses when it is not held again for `lasts`."""

    def __init__(
        self, store: Store[Session], name: str, lasts: timedelta = timedelta(minutes=1), clock: WallClock = utc_now
    ) -> None:
        self._store = store
        self._name = name
        self._lasts = lasts
        self._clock = clock
        self._me = new_id("who")

    async def hold(self) -> bool:
        """Take the claim, or keep it; False when somebody else has it."""
        now = self._clock()
        nobody = {"workspace": DEFAULT_WORKSPACE, "holder": "", "until": _NEVER}
        free = {"_id": self._name, "$or": [{"holder": self._me}, {"until": {"$lte": now}}]}
        with self._store.errors():
            await claims().update_one({"_id": self._name}, {"$setOnInsert": nobody}, upsert=True)
            taken = await claims().update_one(free, {"$set": {"holder": self._me, "until": now + self._lasts}})
        return taken.matched_count == 1
