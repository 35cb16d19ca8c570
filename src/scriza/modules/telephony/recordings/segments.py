"""Stores the segments that recorders hand over, behind the calls: a recorder never waits for the store."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import structlog

from scriza.kernel.errors import ScrizaError
from scriza.modules.telephony.live.recorder import Segment
from scriza.ports.objects import Objects

_PACKED = "application/msgpack"
_WAITING = 400
"""Segments that may wait for the store, of 160 kB each; further ones are lost."""
_AGAIN_S = (0.5, 2.0, 5.0, 15.0, 30.0, 60.0, 60.0)

_log = structlog.get_logger()


class _Write(NamedTuple):
    call_id: str
    key: str
    segment: Segment


class SegmentWriter:
    """Stores them; `written` hears of each call that has ended and of which everything is stored."""

    def __init__(self, objects: Objects, written: Callable[[str], None]) -> None:
        self._objects, self._written = objects, written
        self._writes: asyncio.Queue[_Write] = asyncio.Queue(_WAITING)
        self._unwritten: Counter[str] = Counter()
        self._ended: set[str] = set()

    def keep(self, call_id: str, key: str, segment: Segment) -> None:
        """Have a segment stored."""
        try:
            self._writes.put_nowait(_Write(call_id, key, segment))
        except asyncio.QueueFull:
            _log.error("recording.segment_lost", key=key, reason="too many wait for the store")
        else:
            self._unwritten[call_id] += 1

    def call_ended(self, call_id: str) -> None:
        """No more segments of this call will come."""
        self._ended.add(call_id)
        self._look_at(call_id)

    async def write_next(self) -> None:
        """Store the next segment; several tasks may do so at once."""
        write = await self._writes.get()
        try:
            await self._store(write)
        finally:
            self._writes.task_done()
            self._unwritten[write.call_id] -= 1
            self._look_at(write.call_id)

    async def flushed(self) -> None:
        """Return when nothing waits."""
        await self._writes.join()

    @property
    def waiting(self) -> int:
        """How many segments wait."""
        return self._writes.qsize()

    def _look_at(self, call_id: str) -> None:
        if self._unwritten[call_id]:
            return
        del self._unwritten[call_id]
        if call_id in self._ended:
            self._ended.discard(call_id)
            self._written(call_id)

    async def _store(self, write: _Write) -> None:
        body = msgspec.msgpack.encode(write.segment)
        for pause in _AGAIN_S:
            try:
                await self._objects.put(write.key, body, _PACKED)
            except ScrizaError as error:
                _log.warning("recording.segment_waits", key=write.key, error=error.slug)
                await asyncio.sleep(pause)
            else:
                return
        _log.error("recording.segment_lost", key=write.key, reason="the store was away for too long")
