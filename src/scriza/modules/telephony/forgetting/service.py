"""Carries out orders to forget somebody: at once what can be, and the rest when it can.

A call that lives is erased when it has ended, a recording when it is whole, and what the carrier is being asked for
when that is settled. Until all is done the order stays, and any process takes it up.
"""

from datetime import datetime

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Event
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.forgetting.book import ForgettingBook, KnownCall
from scriza.modules.telephony.placing.books import BarredBook, IntentBook
from scriza.modules.telephony.placing.callbacks import CallbackBook
from scriza.modules.telephony.placing.intents import Intent, Refused, after, can_be_erased, erased, intent_of, takes
from scriza.modules.telephony.recordings.service import Recordings
from scriza.ports.erasure import forgotten_in

_BATCH = 50
_FORGOTTEN = Refused("forgotten")
_log = structlog.get_logger()


class Forgetting:
    """The consumer of `caller.forgotten` for telephony."""

    def __init__(
        self,
        book: ForgettingBook,
        recordings: Recordings,
        intents: IntentBook,
        callbacks: CallbackBook,
        barred: BarredBook,
        clock: WallClock = utc_now,
    ) -> None:
        self._book, self._recordings, self._clock = book, recordings, clock
        self._intents, self._callbacks, self._barred = intents, callbacks, barred

    async def forget(self, order: Event) -> None:
        """Take an order, and carry it out as far as that can be done now. Raises what the books raise."""
        await self._book.begin(order)
        await self.settle(order)

    async def settle_due(self) -> None:
        """Go on with the orders that are left."""
        for order in await self._book.open(_BATCH):
            with acting(Principal(order.workspace, subject="telephony"), request_id=order.request_id):
                try:
                    await self.settle(order)
                except ScrizaError as error:
                    _log.warning("caller.not_forgotten_yet", reason=error.detail)

    async def settle(self, order: Event) -> bool:
        """Erase what can be erased now; True when nothing is left. Doing it again is fine."""
        calls = await self._book.calls(order)
        # A call that lived when the order came may have led to messages since. It is erased behind them, so that it
        # is known until when they are meant.
        until = max([order.time, *(call.changed_at for call in calls)])
        left = under_way = await self._erase_person(order, until)
        for call in calls:
            stays = under_way > 0 and call.changed_at > order.time
            left += stays or not await self._erase_call(order, call)
        if left:
            _log.info("caller.forgotten_in_part", left=left)
            return False
        await self._book.done(order)
        return True

    async def _erase_person(self, order: Event, until: datetime) -> int:
        """Erase what is kept of the person beside their calls, where the order names one; returns how much is left."""
        workspace, who = order.workspace, forgotten_in(order).caller
        if not who:
            return 0
        dropped = await self._callbacks.forget(workspace, who)
        await self._book.note(order, {"callbacks": dropped, "barred": await self._barred.erase(workspace, who)})
        await self._book.erase_messages(order, until)
        intents = await self._intents.of(workspace, who, until)
        return sum([not await self._erase_intent(order, intent) for intent in intents])

    async def _erase_intent(self, order: Event, intent: Intent) -> bool:
        """What nobody has asked the carrier for is not asked for any more; what is under way is waited for."""
        now = self._clock()
        if intent.state == "waiting" and takes(intent, _FORGOTTEN):
            refused = after(intent, _FORGOTTEN, now)
            if not await self._intents.change(intent, refused):
                return False
            intent = refused
        if not can_be_erased(intent, now) or not await self._intents.change(intent, erased(intent)):
            return False
        await self._book.note(order, {"orders": 1})
        return True

    async def _erase_call(self, order: Event, call: KnownCall) -> bool:
        if not call.ended or await self._counts_still(order, call):
            return False
        try:
            recordings = await self._recordings.forget(order.workspace, call.call_id)
        except (ScrizaError, TimeoutError) as error:
            _log.warning("recording.not_forgotten", call_id=call.call_id, error=type(error).__name__)
            return False
        if recordings is None:
            return False
        await self._book.note(order, {"recordings": recordings})
        await self._book.erase_call(order, call.call_id)
        return True

    async def _counts_still(self, order: Event, call: KnownCall) -> bool:
        """Whether the carrier has still to tell the end of a call that we placed, which its order waits for."""
        if not call.order_id:
            return False
        intent = await self._intents.find(intent_of(order.workspace, call.order_id))
        return intent is not None and not can_be_erased(intent, self._clock())
