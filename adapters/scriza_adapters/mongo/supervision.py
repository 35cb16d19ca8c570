"""The embedded store as part of a running process: started off the event loop, watched, and stopped at the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from scriza.kernel.errors import ScrizaError
from scriza_adapters.mongo.embedded import Attachment, EmbeddedServer

_log = structlog.get_logger()

_WATCH_EVERY = 0.5
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0
_STEADY_AFTER = 60.0


@contextlib.asynccontextmanager
async def running(server: EmbeddedServer) -> AsyncIterator[Attachment]:
    """The server is ready inside, and started again whenever it dies."""
    attachment = await _attach(server)
    watch = asyncio.create_task(_keep_alive(server), name="store-watch")
    try:
        yield attachment
    finally:
        watch.cancel()
        server.abandon()
        try:
            await asyncio.wait([watch])
        finally:
            await asyncio.shield(asyncio.to_thread(server.detach))


async def _attach(server: EmbeddedServer) -> Attachment:
    """A thread cannot be cancelled: when we are, it is told to give up, and what it started is stopped."""
    attaching = asyncio.create_task(asyncio.to_thread(server.attach), name="store-attach")
    try:
        return await asyncio.shield(attaching)
    except asyncio.CancelledError:
        server.abandon()
        with contextlib.suppress(ScrizaError):
            await attaching
        await asyncio.to_thread(server.detach)
        raise


async def _keep_alive(server: EmbeddedServer) -> None:
    """Restart the server when it is dead, each time after a longer pause until it has held out for a while.

    It never gives up, so that a disk that was full and is not any more needs nobody's hand.
    """
    clock = asyncio.get_running_loop().time
    pause, started = _FIRST_PAUSE, clock()
    while True:
        await asyncio.sleep(_WATCH_EVERY)
        try:
            if server.alive():
                if clock() - started > _STEADY_AFTER:
                    pause = _FIRST_PAUSE
                continue
            _log.error("store.died", restart_in_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            started = clock()
            await asyncio.to_thread(server.revive)
        except ScrizaError as error:
            _log.error("store.failed", reason=error.detail)
        except Exception as error:  # no descriptor, process or thread left: looked at again, since that may pass
            _log.error("store.not_watched", error=repr(error))
