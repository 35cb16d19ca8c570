"""Telling in the background: nothing is lost while there is room, and nobody waits."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Event, Topic, event
from scriza_adapters.background_teller import BackgroundTeller
from tests.virtual_time import run_virtual


class Keeper:
    """Implements `ports.events.Publisher`. Keeping takes `seconds`; it fails until `away_until`, and at `poison`."""

    def __init__(self, seconds: float = 0.0, away_until: float = 0.0, failure: Exception | None = None) -> None:
        self.seconds = seconds
        self.away_until = away_until
        self.failure = failure or Unavailable("away")
        self.poison: set[str] = set()
        self.batches: list[list[str]] = []
        self.tries = 0

    @property
    def kept(self) -> list[str]:
        return [subject for batch in self.batches for subject in batch]

    async def publish(self, *events: Event) -> None:
        self.tries += 1
        await asyncio.sleep(self.seconds)
        if now() < self.away_until:
            raise self.failure
        subjects = [event.subject for event in events]
        if self.poison & set(subjects):
            raise ValueError("not for this store")
        self.batches.append(subjects)


class Nothing(msgspec.Struct):
    pass


def fact(subject: str) -> Event:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    return event(Topic.USAGE_TTS, Nothing(), source="tts", subject=subject, key="", time=noon, workspace="w")


def facts(count: int) -> list[Event]:
    return [fact(str(number)) for number in range(count)]


def now() -> float:
    return asyncio.get_running_loop().time()


def told(keeper: Keeper, script: Callable[[BackgroundTeller], Awaitable[None]]) -> tuple[float, list[str]]:
    """Runs the script. When all was over, and of which losses the log tells."""

    async def main() -> float:
        async with BackgroundTeller(keeper) as teller:
            await script(teller)
        return now()

    with capture_logs() as lines:
        ended = run_virtual(main())
    return ended, [f"{line['events']} {line['reason']}" for line in lines if line["event"] == "events.lost"]


def test_what_is_told_while_nothing_is_published_leaves_at_once() -> None:
    keeper = Keeper(seconds=0.01)

    async def script(teller: BackgroundTeller) -> None:
        for subject in "ab":
            teller.tell(fact(subject))
            assert subject not in keeper.kept, "nobody waits"
            await asyncio.sleep(0.02)
            assert keeper.kept[-1] == subject

    told(keeper, script)


def test_what_is_told_while_something_is_published_leaves_together_and_in_order() -> None:
    keeper = Keeper(seconds=1)

    async def script(teller: BackgroundTeller) -> None:
        teller.tell(fact("a"))
        await asyncio.sleep(0.1)
        for subject in "bcd":
            teller.tell(fact(subject))

    ended, lost = told(keeper, script)
    assert keeper.batches == [["a"], ["b", "c", "d"]]
    assert ended == pytest.approx(2)
    assert lost == []


@pytest.mark.parametrize("failure", [Unavailable("away"), TimeoutError()])
def test_what_is_told_while_the_store_is_away_is_kept_when_it_is_back(failure: Exception) -> None:
    keeper = Keeper(away_until=60, failure=failure)

    async def script(teller: BackgroundTeller) -> None:
        for each in facts(300):
            teller.tell(each)
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        assert keeper.kept == [str(number) for number in range(300)]

    assert told(keeper, script)[1] == []
    assert keeper.tries < 40, "a store that is away is not asked all the time"


def test_a_store_that_does_not_answer_is_given_up_and_asked_again() -> None:
    keeper = Keeper(seconds=3600)

    async def script(teller: BackgroundTeller) -> None:
        teller.tell(fact("a"))
        await asyncio.sleep(5)
        keeper.seconds = 0
        await asyncio.sleep(10)
        assert keeper.kept == ["a"]

    told(keeper, script)


def test_what_finds_no_place_is_counted_as_lost() -> None:
    keeper = Keeper(away_until=10)

    async def script(teller: BackgroundTeller) -> None:
        teller.tell(*facts(9_999))
        teller.tell(*facts(3))
        await asyncio.sleep(15)
        teller.tell(fact("later"))

    assert told(keeper, script)[1] == ["2 full"]
    assert len(keeper.kept) == 10_001
    assert keeper.kept[-1] == "later"


def test_an_event_that_the_store_refuses_holds_up_no_other() -> None:
    keeper = Keeper()
    keeper.poison = {"3", "7"}

    async def script(teller: BackgroundTeller) -> None:
        teller.tell(*facts(20))
        await asyncio.sleep(60)
        assert keeper.kept == [str(number) for number in range(20) if number not in {3, 7}]

    assert told(keeper, script)[1] == ["1 refused", "1 refused"]


def test_closing_publishes_what_waits() -> None:
    keeper = Keeper(seconds=0.1, away_until=2.5)

    async def script(teller: BackgroundTeller) -> None:
        teller.tell(*facts(500))

    ended, lost = told(keeper, script)
    assert len(keeper.kept) == 500
    assert ended <= 5
    assert lost == []


def test_closing_ends_even_when_the_store_stays_away() -> None:
    async def script(teller: BackgroundTeller) -> None:
        teller.tell(*facts(7))

    assert told(Keeper(away_until=3600), script) == (5, ["7 closed"])


def test_a_teller_that_was_told_nothing_closes_at_once() -> None:
    async def script(teller: BackgroundTeller) -> None:
        await asyncio.sleep(1)

    assert told(Keeper(), script) == (1, [])


def test_what_is_told_when_all_is_over_is_counted_as_lost() -> None:
    teller = BackgroundTeller(Keeper())

    async def main() -> None:
        async with teller:
            pass
        with capture_logs() as lines:
            teller.tell(*facts(2))
        assert [(line["events"], line["reason"]) for line in lines] == [(2, "closed")]

    run_virtual(main())
