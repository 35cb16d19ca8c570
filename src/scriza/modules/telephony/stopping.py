"""The switch that stops all calls, as this process knows it."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError
from scriza.modules.telephony.placing.books import SwitchBook
from scriza.ports.call_desk import Switch

LOOK_SECONDS = 1.0
"""Between two looks at the book."""
STOPPED = "We cannot take your call at the moment. Please try again later. Goodbye."
"""What those hear who call meanwhile."""

_log = structlog.get_logger()


class StopSwitch:
    """Follows the switch in the book; `stop_all` closes the calls that live here, as often as it is asked."""

    def __init__(self, book: SwitchBook, stop_all: Callable[[], object], clock: WallClock = utc_now) -> None:
        self._book, self._stop_all, self._clock = book, stop_all, clock
        self._stopped = False

    def stopped(self) -> bool:
        """Whether all calls are stopped, as of the last look. A book that cannot be read leaves it as it was."""
        return self._stopped

    async def look(self) -> None:
        """Read the book. While all calls are stopped, those that were let in a moment too early are closed as well.

        Raises what the book raises.
        """
        switch = await self._book.read()
        if switch.stopped != self._stopped:
            _log.warning("calls.stopped" if switch.stopped else "calls.resumed")
        self._stopped = switch.stopped
        if self._stopped:
            self._stop_all()

    async def read(self) -> Switch:
        """As the book has it now."""
        return await self._book.read()

    async def turn(self, *, stopped: bool) -> Switch:
        """Turn it for all processes, here at once."""
        now = self._clock()
        switch = await self._book.set(stopped=stopped, at=now - timedelta(microseconds=now.microsecond % 1000))
        try:
            await self.look()
        except ScrizaError as error:
            _log.warning("switch.not_read", reason=error.detail)  # it is turned, and looked at again in a moment
        return switch
