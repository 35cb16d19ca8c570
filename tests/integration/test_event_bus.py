"""The outbox and the bus: what is told is heard by every consumer, in order, and noted once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import msgspec
import pytest

from scriza.kernel.errors import Conflict
from scriza.kernel.events import Event, Topic
from scriza.kernel.principal import RequestContext, current
from scriza_adapters.mongo.bus import MongoEventBus
from scriza_adapters.mongo.outbox import Outbox, Rows
from scriza_adapters.mongo.store import MongoStore, StoreOptions, Unit
from tests.waiting import eventually

USAGE = frozenset({Topic.USAGE_LLM})


def told(number: int, subject: str = "CA1", topic: Topic = Topic.USAGE_LLM, workspace: str = "default") -> Event:
    return Event(
        id=f"evt_{workspace}_{subject}_{number}",
        type=topic,
        source="scriza/test",
        subject=subject,
        time=datetime(2026, 3, 1, 9, 0, 0, 123456, UTC),
        workspace=workspace,
        data=msgspec.Raw(b'{"n":%d,"text":"na\xc3\xafve \\u20ac","nested":{"a.b":[1.50,null]}}' % number),
    )


class Ear:
    """A handler that remembers what it got."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    async def __call__(self, event: Event) -> None:
        self.heard.append(event)

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.heard]

    def of(self, subject: str) -> list[str]:
        return [event.id for event in self.heard if event.subject == subject]


@pytest.fixture
async def another_process(store: MongoStore, store_options: StoreOptions) -> AsyncIterator[MongoEventBus]:
    """A second bus on the same database, as another process has it."""
    async with MongoEventBus(store.database, store_options.bus) as bus:
        yield bus


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 # there is no event to wait for
            await asyncio.sleep(0.02)


async def settled(store: MongoStore, waiting: int = 0) -> None:
    """Nobody waits for anything that was told any more, or for so many rows."""

    async def as_said() -> bool:
        return await store.database["outbox"].count_documents({"waiting": {"$ne": []}}) == waiting

    await until(as_said)


async def test_an_event_reaches_every_consumer_of_its_topic_exactly_as_it_was_told(store: MongoStore) -> None:
    usage, memory, other = Ear(), Ear(), Ear()
    store.bus.subscribe("usage", USAGE, usage)
    store.bus.subscribe("memory", USAGE | {Topic.CALL_COMPLETED}, memory)
    store.bus.subscribe("other", frozenset({Topic.CALL_STARTED}), other)
    await store.outbox.publish(told(1))
    await eventually(lambda: usage.heard and memory.heard)
    assert usage.heard == memory.heard == [told(1)]
    await settled(store)
    assert other.heard == []


async def test_an_event_of_a_newer_version_stops_nobody(store: MongoStore) -> None:
    usage = Ear()
    store.bus.subscribe("usage", USAGE, usage)
    await store.outbox.publish(told(1))
    await eventually(lambda: usage.heard)
    await store.database["outbox"].insert_one(
        {
            "workspace": "default",
            "lane": "default/CA1",
            "order": 1,
            "waiting": ["usage"],
            "events": [msgspec.json.encode(told(2)).decode().replace("usage.llm", "usage.telepathy")],
            "told_at": datetime.now(UTC),
        }
    )
    await store.outbox.publish(told(3))
    await eventually(lambda: len(usage.heard) == 2)
    assert usage.ids == [told(1).id, told(3).id]
    await settled(store)


async def test_a_handler_acts_for_the_request_and_the_call_that_the_event_tells_of(store: MongoStore) -> None:
    acted: list[RequestContext] = []

    async def handler(event: Event) -> None:
        acted.append(current())

    store.bus.subscribe("usage", USAGE, handler)
    of_a_call = msgspec.structs.replace(told(1, subject="CA1"), request_id="req_1")
    of_no_call = msgspec.structs.replace(told(2, subject="req_2", workspace="acme"), request_id="req_2")
    await store.outbox.publish(of_a_call)
    await store.outbox.publish(of_no_call)
    await eventually(lambda: len(acted) == 2)
    assert {(seen.principal.workspace, seen.request_id, seen.call_id) for seen in acted} == {
        ("default", "req_1", "CA1"),
        ("acme", "req_2", ""),
    }
    assert {seen.principal.subject for seen in acted} == {"consumer:usage"}


async def test_what_a_unit_of_work_tells_is_told_with_its_change_or_not_at_all(store: MongoStore) -> None:
    ear = Ear()
    store.bus.subscribe("usage", USAGE, ear)

    async def fails_in_the_middle() -> None:
        async with store.transaction() as unit:
            await store.database["things"].insert_one({"_id": "lost"}, session=unit.session)
            await unit.publish(told(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails_in_the_middle()
    async with store.transaction() as unit:
        await store.database["things"].insert_one({"_id": "kept"}, session=unit.session)
        await unit.publish(told(2))
        await unit.publish(told(3))
    await eventually(lambda: len(ear.heard) == 2)
    assert ear.ids == [told(2).id, told(3).id]
    assert [row["_id"] for row in await store.database["things"].find().to_list()] == ["kept"]


async def test_events_of_one_subject_keep_their_order_and_subjects_do_not_wait_for_each_other(
    store: MongoStore,
) -> None:
    ear = Ear()
    blocked = asyncio.Event()

    async def slow_for_one(event: Event) -> None:
        if event.subject == "CA-slow":
            await blocked.wait()
        await ear(event)

    store.bus.subscribe("usage", USAGE, slow_for_one)
    subjects = ["CA-slow", "CA1", "CA2", "CA3"]
    for number in range(10):
        await asyncio.gather(*(store.outbox.publish(told(number, subject)) for subject in subjects))
    await eventually(lambda: len(ear.heard) == 30)
    blocked.set()
    await eventually(lambda: len(ear.heard) == 40)
    for subject in subjects:
        assert ear.of(subject) == [told(number, subject).id for number in range(10)]


async def test_the_same_subject_in_two_workspaces_is_two_subjects(store: MongoStore) -> None:
    workspaces: dict[str, str] = {}

    async def note(event: Event) -> None:
        if event.workspace == "broken":
            raise RuntimeError("never works here")
        workspaces[event.id] = current().principal.workspace

    store.bus.subscribe("usage", USAGE, note)
    await store.outbox.publish(told(1, workspace="broken"), told(1, workspace="fine"))
    await eventually(lambda: workspaces)
    assert workspaces == {told(1, workspace="fine").id: "fine"}


async def test_a_handler_that_fails_gets_the_event_again_and_only_its_own_subject_waits(store: MongoStore) -> None:
    ear = Ear()
    failures = Counter[str]()

    async def fails_thrice(event: Event) -> None:
        if event.id == told(1, "CA-bad").id and failures["bad"] < 3:
            failures["bad"] += 1
            raise RuntimeError("not yet")
        await ear(event)

    store.bus.subscribe("usage", USAGE, fails_thrice)
    await store.outbox.publish(told(1, "CA-bad"), told(2, "CA-bad"), told(1, "CA-good"))
    await eventually(lambda: len(ear.heard) == 3)
    assert ear.ids[0] == told(1, "CA-good").id
    assert ear.of("CA-bad") == [told(1, "CA-bad").id, told(2, "CA-bad").id]
    assert failures["bad"] == 3


async def test_a_handler_that_hangs_has_failed(store: MongoStore, store_options: StoreOptions) -> None:
    tries = Counter[str]()

    async def hangs_once(event: Event) -> None:
        tries[event.id] += 1
        if tries[event.id] == 1:
            await asyncio.sleep(60)

    impatient = MongoEventBus(store.database, msgspec.structs.replace(store_options.bus, handler=0.05))
    impatient.subscribe("usage", USAGE, hangs_once)
    async with impatient:
        await Outbox(store.database["outbox"], Rows(impatient.waiting_for), impatient.wake).publish(told(1))
        await eventually(lambda: tries[told(1).id] == 2)


async def test_an_event_that_is_told_again_is_not_heard_again(store: MongoStore) -> None:
    ear = Ear()
    store.bus.subscribe("usage", USAGE, ear)
    await asyncio.gather(*(store.outbox.publish(told(1), told(1)) for _ in range(3)))
    await settled(store)
    await store.outbox.publish(told(1), told(2))
    await settled(store)
    assert ear.ids == [told(1).id, told(2).id]
    assert await store.database["inbox"].count_documents({"consumer": "usage"}) == 2


async def test_events_wait_for_a_consumer_whose_process_is_away(store: MongoStore, store_options: StoreOptions) -> None:
    ear = Ear()
    away = MongoEventBus(store.database, store_options.bus)
    away.subscribe("usage", USAGE, ear)
    async with away:
        await eventually(lambda: store.bus.waiting_for(set(USAGE)) == ["usage"])
    await store.outbox.publish(told(1))
    await settled(store, waiting=1)
    back = MongoEventBus(store.database, store_options.bus)
    back.subscribe("usage", USAGE, ear)
    async with back:
        await eventually(lambda: ear.ids == [told(1).id])


async def test_of_two_processes_with_the_same_consumer_one_delivers(
    store: MongoStore, another_process: MongoEventBus
) -> None:
    here, there = Ear(), Ear()
    store.bus.subscribe("usage", USAGE, here)
    another_process.subscribe("usage", USAGE, there)
    for number in range(50):
        await store.outbox.publish(told(number, f"CA{number % 7}"))
    await settled(store)
    heard = Counter([*here.ids, *there.ids])
    assert heard == Counter({told(number, f"CA{number % 7}").id: 1 for number in range(50)})
    assert not (here.heard and there.heard)


async def test_when_the_process_that_delivers_goes_another_takes_over(
    store: MongoStore, store_options: StoreOptions
) -> None:
    first, second = Ear(), Ear()
    leaving = MongoEventBus(store.database, store_options.bus)
    leaving.subscribe("usage", USAGE, first)
    async with leaving:
        await eventually(lambda: store.bus.waiting_for(set(USAGE)) == ["usage"])
        await store.outbox.publish(told(1))
        await eventually(lambda: first.ids == [told(1).id])
        store.bus.subscribe("usage", USAGE, second)
    await store.outbox.publish(told(2))
    await eventually(lambda: second.ids == [told(2).id])


async def test_a_holder_that_is_still_for_a_whole_lease_is_taken_to_be_dead(
    store: MongoStore, store_options: StoreOptions
) -> None:
    entry = {"topics": ["usage.llm"], "seen_at": datetime.now(UTC), "workspace": "default"}
    killed = {"holder": "a process that was killed", "beat": "its last"}
    await store.database["consumers"].insert_one({"_id": "usage", **entry, **killed})
    ear = Ear()
    bus = MongoEventBus(store.database, msgspec.structs.replace(store_options.bus, lease=0.4))
    bus.subscribe("usage", USAGE, ear)
    async with bus:
        began = asyncio.get_running_loop().time()
        await Outbox(store.database["outbox"], Rows(bus.waiting_for), bus.wake).publish(told(1))
        await eventually(lambda: ear.heard)
    assert asyncio.get_running_loop().time() - began > 0.4


async def test_a_consumer_that_receives_events_in_its_unit_of_work_counts_each_once(store: MongoStore) -> None:
    calls = Counter[str]()

    async def count(event: Event) -> None:
        async def work(unit: Unit) -> None:
            if await unit.receive("usage", event):
                change = {"$inc": {"n": 1}}
                await store.database["sums"].update_one({"_id": "all"}, change, upsert=True, session=unit.session)

        calls[event.id] += 1
        await asyncio.gather(*(store.run(work) for _ in range(3)))
        raise RuntimeError("after the commit, as when the process dies there")

    store.bus.subscribe("usage", USAGE, count)
    events = [told(number, f"CA{number}") for number in range(5)]
    await store.outbox.publish(*events)
    await settled(store)
    assert await store.database["sums"].find_one() == {"_id": "all", "n": 5}
    assert calls == Counter(event.id for event in events)


async def test_an_event_that_nobody_is_to_hear_is_kept_for_a_day_and_waits_for_nobody(store: MongoStore) -> None:
    await store.outbox.publish(told(1))
    row = await store.database["outbox"].find_one()
    assert row is not None
    assert (row["waiting"], row["workspace"]) == ([], "default")
    assert isinstance(row["done_at"], datetime)
    expiring = (await store.database["outbox"].index_information())["done_at_1"]
    assert expiring["expireAfterSeconds"] == 24 * 3600


async def test_a_row_begins_to_expire_when_its_last_consumer_has_heard_it(store: MongoStore) -> None:
    go_on = asyncio.Event()

    async def waits(event: Event) -> None:
        await go_on.wait()

    ear = Ear()
    store.bus.subscribe("quick", USAGE, ear)
    store.bus.subscribe("slow", USAGE, waits)
    await store.outbox.publish(told(1))

    async def row() -> dict[str, object]:
        return await store.database["outbox"].find_one() or {}

    async def quick_has_heard() -> bool:
        return (await row())["waiting"] == ["slow"]

    await until(quick_has_heard)
    assert "done_at" not in await row()
    go_on.set()
    await settled(store)
    assert isinstance((await row())["done_at"], datetime)


async def test_a_backlog_of_many_subjects_is_worked_off(store: MongoStore, store_options: StoreOptions) -> None:
    ear = Ear()
    store.bus.subscribe("usage", USAGE, ear)
    events = [told(number, f"CA{number % 150}") for number in range(450)]
    await store.outbox.publish(*events)
    await eventually(lambda: len(ear.heard) == 450, seconds=20)
    assert Counter(ear.ids) == Counter(event.id for event in events)


async def test_a_bus_that_closes_lets_a_handler_at_work_come_to_its_end(
    store: MongoStore, store_options: StoreOptions
) -> None:
    ear, began = Ear(), asyncio.Event()

    async def takes_a_moment(event: Event) -> None:
        began.set()
        await asyncio.sleep(0.1)
        await ear(event)

    bus = MongoEventBus(store.database, store_options.bus)
    bus.subscribe("usage", USAGE, takes_a_moment)
    async with bus:
        await Outbox(store.database["outbox"], Rows(bus.waiting_for), bus.wake).publish(told(1), told(2))
        await began.wait()
    assert ear.ids == [told(1).id]
    assert await store.database["inbox"].count_documents({}) == 1


async def test_a_consumer_that_no_process_has_any_more_is_waited_for_no_longer(
    store: MongoStore, store_options: StoreOptions
) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    await store.database["consumers"].insert_one(
        {"_id": "gone", "topics": ["usage.llm"], "seen_at": long_ago, "holder": "", "beat": "", "workspace": "default"}
    )
    await Outbox(store.database["outbox"], Rows(lambda topics: ["gone"]), lambda: None).publish(told(1))
    async with MongoEventBus(store.database, store_options.bus):
        await settled(store)
    assert await store.database["consumers"].find_one({"_id": "gone"}) is None


async def test_a_consumers_name_is_taken_once(store: MongoStore) -> None:
    store.bus.subscribe("usage", USAGE, Ear())
    with pytest.raises(ValueError, match="subscribed already"):
        store.bus.subscribe("usage", USAGE, Ear())


async def test_units_of_work_that_change_the_same_thing_all_come_through(store: MongoStore) -> None:
    await store.database["sums"].insert_one({"_id": "all", "n": 0})

    async def read_and_write(unit: Unit) -> None:
        row = await store.database["sums"].find_one({"_id": "all"}, session=unit.session)
        assert row is not None
        more = {"$set": {"n": msgspec.convert(row["n"], int) + 1}}
        await store.database["sums"].update_one({"_id": "all"}, more, session=unit.session)

    await asyncio.gather(*(store.run(read_and_write) for _ in range(20)))
    assert await store.database["sums"].find_one() == {"_id": "all", "n": 20}


async def test_a_single_transaction_that_comes_too_late_is_a_conflict(store: MongoStore) -> None:
    sums = store.database["sums"]
    await sums.insert_one({"_id": "all", "n": 0})

    async def comes_too_late() -> None:
        async with store.transaction() as late:
            await sums.find_one({"_id": "all"}, session=late.session)
            async with store.transaction() as early:
                await sums.update_one({"_id": "all"}, {"$inc": {"n": 1}}, session=early.session)
            await sums.update_one({"_id": "all"}, {"$inc": {"n": 1}}, session=late.session)

    with pytest.raises(Conflict):
        await comes_too_late()
    assert await sums.find_one() == {"_id": "all", "n": 1}
