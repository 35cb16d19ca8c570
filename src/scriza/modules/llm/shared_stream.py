"""One stream with many readers: what is asked twice at the same time is made once."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from copy import copy
from typing import Generic, TypeVar

from scriza.kernel.errors import ScrizaError

T = TypeVar("T")

_CLOSING_S = 2.0
"""How long a reader waits for the generator's own closing, at most."""


class SharedStream(Generic[T]):
    """Runs a generator in a task of its own; every reader gets all of its items, from the first one on.

    The items are kept until the stream is over, so their number must be bounded by the generator. When the last reader
    leaves, the generator is closed and `on_end` has been called before that reader's own closing returns.
    """

    def __init__(self, source: AsyncGenerator[T, None], on_end: Callable[[], None]) -> None:
        self._items: list[T] = []
        self._news = asyncio.Event()
        self._error: ScrizaError | None = None
        self._over = False
        self._readers = 0
        self._on_end = on_end
        self._task = asyncio.create_task(self._run(source), name="shared-stream")

    async def read(self) -> AsyncGenerator[T, None]:
        """All items. Raises what the generator raised, after the items that came before."""
        self._readers += 1
        try:
            position = 0
            while True:
                while position < len(self._items):
                    position += 1
                    yield self._items[position - 1]
                if self._over:
                    break
                self._news.clear()
                await self._news.wait()
            if self._error is not None:
                raise copy(self._error)
            await self._task
        finally:
            self._readers -= 1
            if self._readers == 0:
                await self.close()

    async def close(self, error: ScrizaError | None = None) -> None:
        """Stop the generator and wait until it has stopped. Readers that are still there get `error`."""
        self._error = self._error or error
        self._end()
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLOSING_S)

    async def _run(self, source: AsyncGenerator[T, None]) -> None:
        try:
            async for item in source:
                self._items.append(item)
                self._news.set()
        except ScrizaError as error:
            self._error = error
        finally:
            self._end()
            await source.aclose()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._on_end()
        self._news.set()
