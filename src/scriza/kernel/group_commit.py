"""Writing together what several tasks want written at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Batch(Generic[T]):
    def __init__(self) -> None:
        self.items: list[T] = []
        self.settled = False
        self.error: Exception | None = None


class GroupCommit(Generic[T]):
    """Writes together what several tasks want written: whoever is first writes for all that wait behind it.

    `write` gets at most `size` items at a time, and the same ones again when the task that wrote them was cancelled.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], *, size: int = 500) -> None:
        self._write = write
        self._size = size
        self._open: _Batch[T] = _Batch()
        self._writing = asyncio.Lock()

    async def add(self, *items: T) -> None:
        """Returns when the items are written; raises what their writing raised."""
        batch = self._open
        batch.items.extend(items)
        async with self._writing:
            if not batch.settled:
                await self._settle(batch)
        if batch.error is not None:
            raise batch.error

    async def _settle(self, batch: _Batch[T]) -> None:
        if batch is self._open:
            self._open = _Batch()
        try:
            for part in _parts(batch.items, self._size):
                await self._write(part)
        except Exception as error:
            batch.error, batch.settled = error, True
            raise
        batch.settled = True


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
