"""Shared state of one process: a bounded table on the event loop's clock."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec


class _Kept(msgspec.Struct, frozen=True, gc=False):
    value: bytes
    until: float


class MemorySharedState:
    """Implements `ports.shared_state.SharedState` for the tasks of one event loop.

    It holds `most_values` values and `most_bytes` bytes of keys and values at most. When one of the two is passed, what
    was not touched for longest goes first; a value larger than all that is allowed is not kept at all. No act waits for
    anything, so each is atomic.
    """

    def __init__(self, most_bytes: int = 64_000_000, most_values: int = 100_000) -> None:
        self._most_bytes = most_bytes
        self._most_values = most_values
        self._table: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._table)

    async def get(self, key: str) -> bytes | None:
        """See `SharedState`."""
        kept = self._live(key)
        return None if kept is None else kept.value

    async def put(self, key: str, value: bytes, ttl: timedelta) -> None:
        """See `SharedState`."""
        self._keep(key, _Kept(value, _now() + ttl.total_seconds()))

    async def put_new(self, key: str, value: bytes, ttl: timedelta) -> bool:
        """See `SharedState`."""
        if self._live(key) is not None:
            return False
        await self.put(key, value, ttl)
        return True

    async def replace(self, key: str, old: bytes, new: bytes, ttl: timedelta) -> bool:
        """See `SharedState`."""
        kept = self._live(key)
        if kept is None or kept.value != old:
            return False
        await self.put(key, new, ttl)
        return True

    async def delete(self, key: str, value: bytes | None = None) -> bool:
        """See `SharedState`."""
        kept = self._live(key)
        if kept is None or (value is not None and kept.value != value):
            return False
        self._forget(key)
        return True

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """See `SharedState`."""
        for key in [key for key in self._table if key.startswith(prefix)]:
            if self._live(key) is not None:
                yield key

    async def add(self, key: str, amount: int, ttl: timedelta) -> int:
        """See `SharedState`."""
        kept = self._live(key)
        if kept is None:
            kept = _Kept(b"0", _now() + ttl.total_seconds())
        total = int(kept.value) + amount
        self._keep(key, _Kept(b"%d" % total, kept.until))
        return total

    async def warm_up(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        """Forget everything."""
        self._table.clear()
        self._bytes = 0

    def _live(self, key: str) -> _Kept | None:
        kept = self._table.get(key)
        if kept is None:
            return None
        if _now() >= kept.until:
            self._forget(key)
            return None
        self._table.move_to_end(key)
        return kept

    def _keep(self, key: str, kept: _Kept) -> None:
        if key in self._table:
            self._forget(key)
        self._table[key] = kept
        self._bytes += len(key) + len(kept.value)
        while len(self._table) > self._most_values or self._bytes > self._most_bytes:
            self._forget(next(iter(self._table)))

    def _forget(self, key: str) -> None:
        self._bytes -= len(key) + len(self._table.pop(key).value)


def _now() -> float:
    return asyncio.get_running_loop().time()
