"""Shared state of all processes that use one Redis (version 6 or later), or a server that speaks its protocol."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from scriza.kernel.cancellation import cancellation_heeded
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, Unavailable

_log = structlog.get_logger()

_PREFIX = "scriza:"
_CONNECTIONS = 64
_SCANNED = 1000
"""Keys that one step of a walk looks at: a millisecond of the server's time."""
_GLOB = re.compile(r"[\\*?\[\]]")
_SCHEMES = ("redis", "rediss", "unix")

_REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_DELETE_IF = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_ADD = """
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return total
"""
# A script runs as one act: no other client's command comes between its own.


class RedisSharedState:
    """Implements `ports.shared_state.SharedState` by ``redis://[USER:PASSWORD@]HOST[:PORT][/DB]``.

    Also ``rediss://`` and ``unix://``. Nothing is connected before the first act; a connection that the server has
    closed meanwhile is opened anew. An act is never sent twice, since one that was lost may have been done: each has
    `deadline_s` seconds, then it raises DeadlineExceeded. All keys begin with ``scriza:``. Raises ValueError for what
    is no such URL.
    """

    def __init__(self, url: str, *, deadline_s: float = 1.0) -> None:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ValueError(f"a Redis URL begins with {', '.join(f'{scheme}://' for scheme in _SCHEMES)}")
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=deadline_s,
            retry=Retry(NoBackoff(), 0),
            # With these, the pool does not look whether an idle connection still stands.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._redis = Redis.from_pool(pool)
        self._deadline_s = deadline_s
        self._replace = self._redis.register_script(_REPLACE)
        self._delete_if = self._redis.register_script(_DELETE_IF)
        self._add = self._redis.register_script(_ADD)

    async def ping(self) -> None:
        """Whether the server answers. Raises Unavailable and DeadlineExceeded."""
        async with self._asking():
            await self._redis.ping()

    async def warm_up(self) -> None:
        """Open a connection; a server that cannot be reached now is a warning in the log."""
        with suppress(ScrizaError):  # it is logged where it is raised
            await self.ping()

    async def get(self, key: str) -> bytes | None:
        """See `SharedState`."""
        async with self._asking():
            found = await self._redis.get(_PREFIX + key)
        return found if isinstance(found, bytes) else None

    async def put(self, key: str, value: bytes, ttl: timedelta) -> None:
        """See `SharedState`."""
        async with self._asking():
            await self._redis.set(_PREFIX + key, value, px=_ms(ttl))

    async def put_new(self, key: str, value: bytes, ttl: timedelta) -> bool:
        """See `SharedState`."""
        async with self._asking():
            return bool(await self._redis.set(_PREFIX + key, value, px=_ms(ttl), nx=True))

    async def replace(self, key: str, old: bytes, new: bytes, ttl: timedelta) -> bool:
        """See `SharedState`."""
        async with self._asking():
            return bool(await self._replace([_PREFIX + key], [old, new, _ms(ttl)]))

    async def delete(self, key: str, value: bytes | None = None) -> bool:
        """See `SharedState`."""
        async with self._asking():
            if value is None:
                return bool(await self._redis.delete(_PREFIX + key))
            return bool(await self._delete_if([_PREFIX + key], [value]))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """See `SharedState`. Each step of the walk has the deadline for itself."""
        pattern, cursor = _PREFIX + _GLOB.sub(r"\\\g<0>", prefix) + "*", 0
        while True:
            async with self._asking():
                cursor, found = await self._redis.scan(cursor, match=pattern, count=_SCANNED)
            for key in found:
                yield str(key, "utf-8").removeprefix(_PREFIX) if isinstance(key, bytes) else key
            if not cursor:
                return

    async def add(self, key: str, amount: int, ttl: timedelta) -> int:
        """See `SharedState`."""
        async with self._asking():
            return int(await self._add([_PREFIX + key], [amount, _ms(ttl)]))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """The deadline, and the driver's errors as ours; their text, which may hold an address, goes to the log."""
        try:
            async with asyncio.timeout(self._deadline_s):
                with cancellation_heeded():
                    yield
        except (TimeoutError, RedisTimeoutError):
            _log.warning("shared_state.slow", deadline_s=self._deadline_s)
            raise DeadlineExceeded(f"the shared state did not answer within {self._deadline_s:g} s") from None
        except (AuthenticationError, NoPermissionError) as error:
            _log.warning("shared_state.refused", error=type(error).__name__)
            raise Unavailable("Redis does not accept the user, the password, or what they are used for") from error
        except (RedisError, OSError) as error:
            _log.warning("shared_state.failed", error=str(error))
            raise Unavailable("the shared state cannot be reached") from error


def _ms(ttl: timedelta) -> int:
    """Redis takes no time below a millisecond."""
    return max(1, round(ttl.total_seconds() * 1000))
