"""What the processes of one Scriza know together for a while: in this process, or in Redis.

For answers that can be made again and for claims that run out; what must not be lost is the store's.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol


class SharedState(Protocol):
    """Small values under keys, each until its time is over. Raises Unavailable and DeadlineExceeded."""

    async def get(self, key: str) -> bytes | None:
        """The value; none when there is none any more."""
        ...

    async def put(self, key: str, value: bytes, ttl: timedelta) -> None:
        """Keep a value, in place of another one if there is one."""
        ...

    async def put_new(self, key: str, value: bytes, ttl: timedelta) -> bool:
        """Keep a value unless there is one; True for the one caller, in any process, whose value it now is."""
        ...

    async def replace(self, key: str, old: bytes, new: bytes, ttl: timedelta) -> bool:
        """Put `new` in the place of `old`; False when something else, or nothing, is there."""
        ...

    async def delete(self, key: str, value: bytes | None = None) -> bool:
        """Forget the key, or only if it holds this `value`; True when something was forgotten."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so: each that is there all the while is among them, perhaps twice. A walk through all."""
        ...

    async def add(self, key: str, amount: int, ttl: timedelta) -> int:
        """Add to a counter that starts at 0 and lives for `ttl` from its first use; returns what it is now."""
        ...
