"""Who may ask the engine now: finals in the order of asking, partials only where nobody else waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scriza.kernel.errors import Unavailable


class Places:
    """An engine's `places`, and a bounded queue before them."""

    def __init__(self, places: int, *, waiting: int = 64) -> None:
        self._free = places
        self._spare_after = 1 if places > 1 else 0
        self._waiting = waiting
        self._places = asyncio.Semaphore(places)

    @property
    def spare(self) -> bool:
        """Whether a partial may begin: nobody waits, and of several places one stays free for a final."""
        return not self._places.locked() and self._free > self._spare_after

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place. Raises Unavailable when too many are waiting."""
        if self._waiting == 0:
            raise Unavailable("too many recognitions are waiting", retry_after=1)
        self._waiting -= 1
        try:
            await self._places.acquire()
        finally:
            self._waiting += 1
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
            self._places.release()
