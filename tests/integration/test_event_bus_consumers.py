"""Consumers of the bus: those of each process, those that are expected, and those that fail for good."""

import asyncio
from collections import Counter

import msgspec
import pytest

from scriza.kernel.errors import NotFound, Unavailable
from scriza.kernel.events import Event, Topic
from scriza_adapters.mongo.bus import MongoEventBus
from scriza_adapters.mongo.outbox import Outbox, Rows
from scriza_adapters.mongo.parking import deliver_again, parked
from scriza_adapters.mongo.store import MongoStore, StoreOptions
from tests.integration.test_event_bus import USAGE, Ear, settled, told, until
from tests.waiting import eventually

FORGOTTEN = frozenset({Topic.CALLER_FORGOTTEN})


# ---- of each process ----------------------------------------------------------------------------------------------


async def test_a_consumer_of_every_process_hears_each_event_in_each(
    store: MongoStore, store_options: StoreOptions
) -> None:
    here, there = Ear(), Ear()
    store.bus.subscribe_everywhere("caches", USAGE, here)
    async with MongoEventBus(store.database, store_options.bus) as another_process:
        another_process.subscribe_everywhere("caches", USAGE, there)
        await eventually(lambda: len(store.bus.waiting_for(set(USAGE))) == 2)
        await store.outbox.publish(told(1))
        await eventually(lambda: here.heard and there.heard)
        assert here.ids == there.ids == [told(1).id]


async def test_nothing_waits_for_a_process_that_has_stopped(store: MongoStore, store_options: StoreOptions) -> None:
    blocked = asyncio.Event()

    async def never(event: Event) -> None:
        await blocked.wait()

    impatient = msgspec.structs.replace(store_options.bus, goodbye=0.05)
    async with MongoEventBus(store.database, impatient) as stopping:
        stopping.subscribe_everywhere("caches", USAGE, never)
        await eventually(lambda: store.bus.waiting_for(set(USAGE)))
        await store.outbox.publish(told(1))
        await settled(store, waiting=1)
    await settled(store)
    assert await store.database["consumers"].count_documents({}) == 0


async def test_a_process_that_was_killed_is_waited_for_no_longer_than_minutes(
    store: MongoStore, store_options: StoreOptions
) -> None:
    killed = MongoEventBus(store.database, store_options.bus)
    killed.subscribe_everywhere("caches", USAGE, Ear())
    (name,) = killed.waiting_for(set(USAGE))
    long_ago = told(1).time
    entry = {"topics": ["usage.llm"], "seen_at": long_ago, "holder": "", "beat": "", "of_process": True}
    await store.database["consumers"].insert_one({"_id": name, **entry})
    await Outbox(store.database["outbox"], Rows(killed.waiting_for), killed.wake).publish(told(1))
    async with MongoEventBus(store.database, store_options.bus):
        await settled(store)


# ---- expected -----------------------------------------------------------------------------------------------------


async def test_events_are_kept_for_a_consumer_that_was_never_there_if_it_is_expected(
    store: MongoStore, store_options: StoreOptions
) -> None:
    store.bus.expect("memory", USAGE)
    await store.outbox.publish(told(1))
    ear = Ear()
    async with MongoEventBus(store.database, store_options.bus) as moved_out:
        moved_out.subscribe("memory", USAGE, ear)
        await eventually(lambda: ear.ids == [told(1).id])


async def test_an_expected_consumer_is_known_to_all_processes(store: MongoStore, store_options: StoreOptions) -> None:
    async with MongoEventBus(store.database, store_options.bus) as another_process:
        store.bus.expect("memory", USAGE)
        await eventually(lambda: another_process.waiting_for(set(USAGE)) == ["memory"])


# ---- failing ------------------------------------------------------------------------------------------------------


class Poisoned(Ear):
    """Fails on one event as long as it is told to."""

    def __init__(self, poison: str, error: Exception) -> None:
        super().__init__()
        self.poison, self.error = poison, error
        self.tries = Counter[str]()
        self.mended = False

    async def __call__(self, event: Event) -> None:
        self.tries[event.id] += 1
        if event.id == self.poison and not self.mended:
            raise self.error
        await super().__call__(event)


async def test_an_event_that_always_fails_is_parked_and_those_behind_it_go_on(store: MongoStore) -> None:
    ear, other = Poisoned(told(1).id, ValueError("no such field")), Ear()
    store.bus.subscribe("usage", USAGE, ear)
    store.bus.subscribe("other", USAGE, other)
    await store.outbox.publish(told(1), told(2))
    await eventually(lambda: ear.ids == [told(2).id])
    assert ear.tries[told(1).id] == 10
    assert other.ids == [told(1).id, told(2).id]
    await settled(store)
    (found,) = await parked(store.database)
    assert (found.consumer, found.topic, found.error) == ("usage", "usage.llm", "ValueError")


async def test_a_parked_event_is_delivered_again_when_somebody_asks_for_it(store: MongoStore) -> None:
    ear = Poisoned(told(1).id, ValueError("no such field"))
    store.bus.subscribe("usage", USAGE, ear)
    await store.outbox.publish(told(1))
    await settled(store)
    (found,) = await parked(store.database)
    ear.mended = True
    await deliver_again(store.database, found.id)
    await eventually(lambda: ear.heard == [told(1)])
    assert await parked(store.database) == []
    with pytest.raises(NotFound):
        await deliver_again(store.database, found.id)


async def test_what_fails_because_something_else_is_away_is_never_parked(store: MongoStore) -> None:
    ear = Poisoned(told(1).id, Unavailable("the store is away"))
    store.bus.subscribe("usage", USAGE, ear)
    await store.outbox.publish(told(1))
    await eventually(lambda: ear.tries[told(1).id] > 12)
    ear.mended = True
    await eventually(lambda: ear.ids == [told(1).id])
    assert await parked(store.database) == []


async def test_failures_of_one_event_do_not_count_for_the_next_of_its_subject(store: MongoStore) -> None:
    tries = Counter[str]()
    ear = Ear()

    async def each_fails_a_few_times(event: Event) -> None:
        tries[event.id] += 1
        if tries[event.id] < 8:
            raise ValueError
        await ear(event)

    store.bus.subscribe("usage", USAGE, each_fails_a_few_times)
    await store.outbox.publish(told(1), told(2))

    async def all_heard() -> bool:
        return len(ear.heard) == 2

    await until(all_heard)
    assert await parked(store.database) == []
