"""A process may die before and after everything it does: whatever dies when, an order is carried out once at most."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.dispatch import Dispatcher, Links
from scriza.modules.telephony.placing.intents import LEASE, MOST_ASKS, CallWish, Intent, TextWish
from scriza.ports.carrier import CallOrder, FoundCall, FoundMessage
from tests.memory_books import MemoryIntentBook
from tests.standins.carrier import StandInCarrier, Trouble

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
US, THEM = "+14155550100", "+14155550123"
T = TypeVar("T")


class Killed(BaseException):
    """The process is gone."""


class Life:
    """Of one process: it ends at a step, before or after that is done; 0 lives on."""

    def __init__(self, ends_at: int = 0, when: Literal["before", "after"] = "after") -> None:
        self._left, self._when = ends_at, when

    async def step(self, act: Callable[[], Awaitable[T]]) -> T:
        self._left -= 1
        if self._left == 0 and self._when == "before":
            raise Killed
        done = await act()
        if self._left == 0:
            raise Killed
        return done


class MortalBook(MemoryIntentBook):
    """Its changes are made by whoever lives."""

    life = Life()

    async def change(self, old: Intent, new: Intent) -> bool:
        made = super().change
        return await self.life.step(lambda: made(old, new))


class MortalCarrier(StandInCarrier):
    """Asked by whoever lives."""

    life = Life()

    async def place_call(self, order: CallOrder) -> str:
        place = super().place_call
        return await self.life.step(lambda: place(order))

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        send = super().send_sms
        return await self.life.step(lambda: send(sender=sender, to=to, text=text))

    async def find_calls(self, *, sender: str, to: str, since: datetime) -> list[FoundCall]:
        find = super().find_calls
        return await self.life.step(lambda: find(sender=sender, to=to, since=since))

    async def find_messages(self, *, sender: str, to: str, since: datetime) -> list[FoundMessage]:
        find = super().find_messages
        return await self.life.step(lambda: find(sender=sender, to=to, since=since))


class Always:
    """Permits everything."""

    async def refused(self, intent: Intent) -> Literal[""]:
        return ""

    async def opted_out(self, intent: Intent) -> None: ...


class World:
    """What outlives the processes."""

    def __init__(self, wish: CallWish | TextWish) -> None:
        self.now = START
        self.book = MortalBook()
        self.carrier = MortalCarrier(lambda: self.now)
        self.intent = Intent("i1", "default", US, THEM, wish, START, START + timedelta(hours=1), START)

    async def live(self, life: Life) -> None:
        """A process does what it finds to be done, until that is done or it dies."""
        self.book.life = self.carrier.life = life
        dispatcher = Dispatcher(self.book, self.carrier, Links("https://x"), Always(), lambda: self.now)
        try:
            await dispatcher.settle_due()
        except Killed:
            self.now += LEASE
        self.now += timedelta(seconds=16)

    @property
    def done(self) -> int:
        return len(self.carrier.calls) + len(self.carrier.messages)


DEATHS = st.builds(Life, st.integers(1, 5), st.sampled_from(["before", "after"]))
WISHES = st.sampled_from([CallWish(Assignment()), TextWish("Hello")])


@settings(max_examples=150)
@given(WISHES, st.lists(DEATHS, max_size=5), st.lists(st.sampled_from(["", "lost before", "lost after"]), max_size=4))
def test_an_order_is_carried_out_once_whoever_dies_and_whatever_gets_lost(
    wish: CallWish | TextWish, deaths: list[Life], troubles: list[Trouble]
) -> None:
    async def main() -> None:
        world = World(wish)
        world.carrier.trouble = troubles
        await world.book.record(world.intent, nothing)
        for life in (*deaths, *(Life() for _ in range(10))):
            await world.live(life)
            assert world.done <= 1
        known = world.book.intents["i1"]
        assert known.state in {"done", "refused"}
        assert (known.state == "done") is (world.done == 1)
        assert known.state == "done" or known.asks == MOST_ASKS

    asyncio.run(main())


def nothing(_: Standing) -> None: ...
