"""The orders to forget somebody, in the store."""

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event
from scriza.modules.telephony.documents import AlreadyThere, Call, Session, assignment_of, read_call
from scriza.modules.telephony.forgetting.book import KnownCall
from scriza.modules.telephony.forgetting.documents import (
    ForgettingOrder,
    count,
    delete_messages,
    erase,
    order_of,
    read_known_calls,
)
from scriza.ports.erasure import erased_event, forgotten_in
from scriza.ports.store import Store, UnitOfWork

_OTHERS_FIRST = timedelta(seconds=10)
"""What is told at the end of a call that lived when the order came has other modules erase what came since. They are
given so long for it, so that telephony, which has waited for that end, is not the one that says too early that all is
done."""


class MongoForgettingBook:
    """Implements ForgettingBook on the store."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store, self._clock = store, clock

    async def begin(self, order: Event) -> None:
        """See ForgettingBook."""
        with self._store.errors(), contextlib.suppress(AlreadyThere):
            await order_of(order).insert()

    async def open(self, limit: int) -> list[Event]:
        """See ForgettingBook."""
        with self._store.errors():
            found = await ForgettingOrder.find({}).sort("+asked_at").limit(limit).to_list()
        return [msgspec.json.decode(order.event, type=Event) for order in found]

    async def calls(self, order: Event) -> list[KnownCall]:
        """See ForgettingBook."""
        asked = forgotten_in(order)
        with self._store.errors():
            found = await read_known_calls(order.workspace, asked.caller, asked.call_ids, order.time)
        return [
            KnownCall(call.call_id, self._is_over(call, order), assignment_of(call).order_id, call.changed_at)
            for call in found
        ]

    def _is_over(self, call: Call, order: Event) -> bool:
        lately = call.changed_at > order.time and call.changed_at + _OTHERS_FIRST > self._clock()
        return bool(call.closed_by) and not lately

    async def erase_call(self, order: Event, call_id: str) -> None:
        """See ForgettingBook."""

        async def work(unit: UnitOfWork[Session]) -> None:
            if call := await read_call(call_id, unit.session):
                await count(order.id, await erase(call, unit.session), unit.session)

        await self._store.run(work)

    async def erase_messages(self, order: Event, until: datetime) -> None:
        """See ForgettingBook."""
        who = forgotten_in(order).caller

        async def work(unit: UnitOfWork[Session]) -> None:
            deleted = await delete_messages(order.workspace, who, until, unit.session)
            await count(order.id, {"messages": deleted}, unit.session)

        await self._store.run(work)

    async def note(self, order: Event, erased: Mapping[str, int]) -> None:
        """See ForgettingBook."""
        with self._store.errors():
            await count(order.id, erased)

    async def done(self, order: Event) -> None:
        """See ForgettingBook."""

        async def work(unit: UnitOfWork[Session]) -> None:
            kept = await ForgettingOrder.find_one({"_id": order.id}, session=unit.session)
            if kept is None:
                return
            orders = ForgettingOrder.get_pymongo_collection()
            await orders.delete_one({"_id": order.id}, session=unit.session)
            await unit.publish(erased_event(order, "telephony", kept.erased, self._clock()))

        await self._store.run(work)
