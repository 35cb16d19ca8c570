"""Calls that somebody was promised in a call: kept until their time, then ordered from the call desk.

The desk decides at that time whether the call may be placed, as for any order. The callback's id is the order's, so
that it is placed once, whichever processes look for what is due.
"""

from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Conflict, DeadlineExceeded, RateLimited, ScrizaError, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.ports.call_desk import CallDesk, PlaceCall

_log = structlog.get_logger()

_BATCH = 20
_LATE = timedelta(hours=1)
"""So long after its time a callback that could not be placed is not wanted any more."""
_PASSING = (Conflict, RateLimited, Unavailable, DeadlineExceeded)
"""Refusals of the moment."""


class Callback(msgspec.Struct, frozen=True):
    """A call to be placed at `due_at`. Numbers are E.164."""

    callback_id: str
    workspace: str
    due_at: datetime
    sender: str
    to: str
    playbook: str = ""
    reason: str = ""
    variables: dict[str, str] = {}
    state: Literal["waiting", "ordered", "refused"] = "waiting"
    refusal: str = ""


class CallbackBook(Protocol):
    """Keeps them."""

    async def put(self, callback: Callback) -> None:
        """Keep a new one; one whose id is there already stays as it is."""
        ...

    async def due(self, now: datetime, limit: int) -> list[Callback]:
        """Those of any workspace that wait and whose time has come, oldest first."""
        ...

    async def settle(self, callback_id: str, state: Literal["ordered", "refused"], refusal: str = "") -> None:
        """It does not wait any more."""
        ...

    async def forget(self, workspace: str, who: str) -> int:
        """Drop all to a person, by the pseudonym of their number; returns how many."""
        ...


class Callbacks:
    """Places them when they are due."""

    def __init__(self, book: CallbackBook, desk: CallDesk, clock: WallClock = utc_now) -> None:
        self._book, self._desk, self._clock = book, desk, clock

    async def place_due(self) -> int:
        """Order what is due in any workspace; returns how many were looked at. Raises what the book raises."""
        now = self._clock()
        found = await self._book.due(now, _BATCH)
        for callback in found:
            with acting(Principal(callback.workspace, subject="telephony"), request_id=callback.callback_id):
                await self._place(callback, late=now >= callback.due_at + _LATE)
        return len(found)

    async def _place(self, callback: Callback, *, late: bool) -> None:
        order = PlaceCall(
            to=callback.to,
            sender=callback.sender,
            playbook=callback.playbook,
            reason=callback.reason,
            variables=callback.variables,
            order_id=callback.callback_id,
        )
        try:
            placed = await self._desk.place(order)
        except _PASSING as error:
            if not late:
                return
            await self._refused(callback, error)
        except ScrizaError as error:
            await self._refused(callback, error)
        else:
            _log.info("callback.ordered", callback=callback.callback_id, status=placed.status)
            await self._book.settle(callback.callback_id, "ordered")

    async def _refused(self, callback: Callback, error: ScrizaError) -> None:
        reason = error.reason or error.slug
        _log.warning("callback.refused", callback=callback.callback_id, reason=reason)
        await self._book.settle(callback.callback_id, "refused", reason)
