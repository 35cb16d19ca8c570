"""Who may ask the engine now: what somebody waits for on the phone first, partials with what is left over.

Finals go before partials, and the latest final before the others: its caller has just stopped talking, while who has
waited long has mostly gone on talking, which asks again. A partial is shed for a final: it is told to stop, and its
call goes on without. Not every engine can stop at once, so under load no partial is begun at all, and none where the
latest took long: two have to agree before a word is told, and the final would wait for the rest of one. Among partials
the call is served whose turn was longest ago.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from scriza.kernel.errors import Unavailable

T = TypeVar("T")

_LOOK_BACK_S = 10.0
_BUSY = 0.5
"""Of the places' time of late; above it there is nothing left over."""
_LONGEST_PARTIAL_S = 0.5
_TRY_AGAIN_S, _LONGEST_REST_S = 30.0, 600.0
"""The machine may have been busy with something else: partials are tried again, ever more rarely."""


class Share:
    """A call's share in what is left over."""

    def __init__(self) -> None:
        self.latest_turn = 0


class _Visit:
    """A partial that holds a place."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self.stop = stop
        self.shed = False


class _Busy:
    """How much of the time of late was used, with exponential decay."""

    def __init__(self, places: int) -> None:
        self._places, self._used_s, self._at = places, 0.0, 0.0

    def add(self, seconds: float, now: float) -> None:
        self._used_s, self._at = self._decayed(now) + seconds, now

    def share(self, now: float) -> float:
        """From 0 to 1."""
        return self._decayed(now) / (_LOOK_BACK_S * self._places)

    def _decayed(self, now: float) -> float:
        return self._used_s * math.exp((self._at - now) / _LOOK_BACK_S)


class Places:
    """An engine's `places`, and a bounded queue before them; with ``latest_first=False`` the first come is served."""

    def __init__(self, places: int, *, waiting: int = 64, latest_first: bool = True) -> None:
        self._free = places
        self._busy = _Busy(places)
        self._kept_free = 1 if places > 1 else 0
        """Of several places one is not given to partials, so that a final begins at once."""
        self._most_waiting = waiting
        self._latest_first = latest_first
        self._waiting: list[asyncio.Future[None]] = []
        self._guests: dict[asyncio.Future[None], Share] = {}
        """Partials that wait for what is left over."""
        self._visits: list[_Visit] = []
        self._turns = 0
        self._no_partials_until, self._rest_s = 0.0, _TRY_AGAIN_S
        self._partial_s = 0.0
        """What the latest partial took; one that was shed counts as much, for its engine may not be able to stop."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place for what somebody waits for. Raises Unavailable when too many are waiting.

        Where the latest goes first, it is the one that has waited longest who is turned away.
        """
        if self._free and not self._waiting:
            self._free -= 1
        else:
            await self._queued()
        began = _now()
        try:
            yield
        finally:
            self._busy.add(_now() - began, _now())
            self._leave()

    async def left_over(self, share: Share, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `work`, begun when a place is left over; none under load, and when a final needed the place."""
        if self._busy.share(_now()) > _BUSY or _now() < self._no_partials_until:
            return None
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._guests[place] = share
        self._serve()
        try:
            await place
        except asyncio.CancelledError:
            if self._guests.pop(place, None) is None and not place.cancelled():
                self._leave()
            raise
        running: asyncio.Future[T] = asyncio.ensure_future(work())
        visit = _Visit(running.cancel)
        self._visits.append(visit)
        self._shed()  # a final may have come between the place and this
        began = _now()
        running.add_done_callback(lambda done: self._left(visit, _now() - began, done.cancelled()))
        try:
            await asyncio.wait([running])
        finally:
            running.cancel()
            await asyncio.wait([running])
        return None if visit.shed and running.cancelled() else running.result()

    async def _queued(self) -> None:
        if len(self._waiting) >= self._most_waiting:
            refusal = Unavailable("too many recognitions are waiting", retry_after=1)
            if not self._latest_first or not self._waiting:
                raise refusal
            _answer(self._waiting.pop(0), refusal)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._shed()
        try:
            await place
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif not place.cancelled() and place.exception() is None:
                self._leave()
            raise

    def _shed(self) -> None:
        """Have as many partials leave as there are finals waiting, the latest to come first."""
        leaving = sum(visit.shed for visit in self._visits)
        for visit in reversed(self._visits):
            if leaving < len(self._waiting) and not visit.shed:
                visit.shed = True
                visit.stop()
                leaving += 1

    def _left(self, visit: _Visit, took_s: float, shed: bool) -> None:
        self._partial_s = max(took_s, self._partial_s) if shed else took_s
        self._busy.add(self._partial_s, _now())
        if took_s > _LONGEST_PARTIAL_S:
            self._no_partials_until = _now() + self._rest_s
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)
        elif not shed:
            self._rest_s = _TRY_AGAIN_S
        self._visits.remove(visit)
        self._leave()

    def _leave(self) -> None:
        self._free += 1
        self._serve()

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= _answer(self._waiting.pop(-1 if self._latest_first else 0))
        while self._free > self._kept_free and self._guests:
            place = min(self._guests, key=lambda guest: self._guests[guest].latest_turn)
            self._turns += 1
            self._guests.pop(place).latest_turn = self._turns
            self._free -= _answer(place)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _answer(place: asyncio.Future[None], refusal: Unavailable | None = None) -> bool:
    """Whether there is still somebody to whom it matters."""
    if place.done():
        return False
    if refusal is None:
        place.set_result(None)
    else:
        place.set_exception(refusal)
    return True
