"""Small rules of concurrency that both sides of the wire keep: deadlines, and watching while working."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from scriza.kernel.errors import DeadlineExceeded

T = TypeVar("T")

_going_on: set[asyncio.Task[object]] = set()
"""What comes to its end though all who waited were cancelled; the event loop alone would not hold it."""


class PeerLeft(Exception):
    """The other side has closed its connection: nobody waits for an answer any more."""


@asynccontextmanager
async def deadline(seconds: float, what: str) -> AsyncIterator[None]:
    """Raises DeadlineExceeded when what is inside takes longer; a TimeoutError from inside passes as it is."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"{what} took longer than {seconds:g} s") from None


@asynccontextmanager
async def alongside(*watches: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run `watches` beside what is inside. The first to raise cancels all else; its exception is the one raised."""
    first: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(watch) for watch in watches]
            try:
                yield
            finally:
                for watcher in watchers:
                    watcher.cancel()
    except BaseExceptionGroup as raised:
        first = raised.exceptions[0]
    if first is not None:
        raise first


async def cancelled_once(work: Coroutine[object, object, T]) -> T:
    """Await `work`. A second cancellation, while it cleans up after the first one, ends the waiting and not that."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await to_its_end(task)
        raise


async def to_its_end(task: asyncio.Task[T]) -> None:
    """Wait until `task` is done, which it will be also when nobody waits any more."""
    _going_on.add(task)
    task.add_done_callback(_ended)
    await asyncio.wait([task])


def _ended(task: asyncio.Task[T]) -> None:
    _going_on.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would complain that nobody has


async def close(items: object) -> None:
    """Close an async generator, so that its `finally` has run when this returns. Other iterators need none."""
    aclose = getattr(items, "aclose", None)
    if aclose is not None:
        await aclose()


class Turns:
    """Lets others run while one sends without ever having to wait: an implementation may have all its items ready."""

    def __init__(self, every: int = 16) -> None:
        self._every = every
        self._taken = 0

    async def take(self) -> None:
        """One turn; now and then the event loop's other tasks go first."""
        self._taken += 1
        if self._taken % self._every == 0:
            await asyncio.sleep(0)
