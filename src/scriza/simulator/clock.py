"""One timer for the frames of all calls."""

import asyncio
from typing import Protocol

FRAME_SECONDS = 0.02
_SLOTS = 10
_SLOT_SECONDS = FRAME_SECONDS / _SLOTS


class Ticking(Protocol):
    """Something with a 20 ms clock."""

    def tick(self, lag: float) -> None:
        """Another frame's time has passed, `lag` seconds ago."""
        ...

    def broken(self, error: Exception) -> None:
        """`tick` raised this; it is not called again."""
        ...


class FrameClock:
    """Ticks every member 50 times a second against one monotonic origin.

    Members are spread over ten phases of 2 ms, as calls begin at odd times. A late timer makes up for what it
    missed, in order, so no clock ever drifts.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()
        self._slots: list[list[Ticking]] = [[] for _ in range(_SLOTS)]
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, member: Ticking) -> float:
        """From now on `member` is ticked; returns the loop time one frame before its first tick."""
        first = int((self._loop.time() - self._origin) / _SLOT_SECONDS) + 1
        if self._timer is None:
            self._next = first
        self._slots[first % _SLOTS].append(member)
        self._arm()
        return self._time(first - _SLOTS)

    def leave(self, member: Ticking) -> None:
        """It is not ticked any more; leaving twice is fine."""
        for slot in self._slots:
            if member in slot:
                slot.remove(member)

    def close(self) -> None:
        """Stop for good."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time(self, index: int) -> float:
        return self._origin + index * _SLOT_SECONDS

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for index in range(self._next, self._next + _SLOTS):
            if self._slots[index % _SLOTS]:
                self._timer = self._loop.call_at(self._time(index), self._fire)
                return

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while (due := self._time(self._next)) <= now:
            slot = self._slots[self._next % _SLOTS]
            self._next += 1
            for member in tuple(slot):
                try:
                    member.tick(now - due)
                except Exception as error:  # its owner raises it; the others go on
                    slot.remove(member)
                    member.broken(error)
        self._arm()
