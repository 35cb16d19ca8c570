"""Large bodies are sent by a thread of their own.

To hash, copy and write megabytes takes tens of milliseconds in one go, which on the calls' event loop would hold up
every voice. The work is done outside of the interpreter's lock, so a thread keeps it away from them.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scriza_adapters.objects_s3.connection import Connection, Patience

T = TypeVar("T")

LARGE = 512 * 1024
"""Bytes from which a body is large."""


class Bulk:
    """A thread with an event loop, and a client that belongs to it; both are made at the first use."""

    def __init__(self, url: str, patience: Patience) -> None:
        self._connection = Connection(url, patience)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do it there, and wait for it here. Raises what it raises; cancelling this cancels it."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name="objects-bulk", daemon=True).start()

        async def there() -> T:
            return await work(self._connection)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), self._loop))

    async def close(self) -> None:
        """Close the client, and end the thread."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._connection.close(), loop))
        loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
