"""What memory tells of a call that has been worked over: its outcome once, and that its caller is a hot lead."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from scriza.kernel.events import Event, Topic
from scriza.modules.memory.documents import MEMORY_DOCUMENTS
from scriza.ports.agent import DO_NOT_CALL, Promise
from scriza.ports.memory import CallOutcome, HotLead
from scriza_adapters.mongo.outbox import OUTBOX, telling
from scriza_adapters.mongo.store import MongoStore, StoreOptions, open_store
from tests.databases import drop
from tests.memory_calls import Rememberer, ToldCall, demo_call

TOLD = frozenset({Topic.CALL_OUTCOME, Topic.LEAD_HOT})


class Rig:
    """Memory on a store, and what a consumer has heard of outcomes."""

    def __init__(self, store: MongoStore) -> None:
        store.bus.expect("somebody", TOLD)
        self.store, self.here = store, Rememberer(store)

    async def told(self) -> list[Event]:
        rows = await self.store.database[OUTBOX].find().sort("order", 1).to_list()
        return [event for row in rows for event in telling(row).events if event.type in TOLD]


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[Rig]:
    async with open_store(store_options, MEMORY_DOCUMENTS) as store:
        yield Rig(store)
        await drop(store.database)


async def test_an_outcome_is_told_once_with_what_was_found(rig: Rig) -> None:
    await rig.here.remembers(demo_call())
    await rig.here.hears(demo_call().events)  # once more, as a bus may
    while await rig.here.post_call.work():
        pass
    told = [event for event in await rig.told() if event.type == Topic.CALL_OUTCOME]
    assert len({event.id for event in told}) == 1
    outcome = msgspec.json.decode(told[0].data, type=CallOutcome)
    assert (told[0].call_id, outcome.call_id) == ("CA1", "CA1")
    assert (outcome.outcome, outcome.won, outcome.duration_seconds) == ("demo_booked", True, 65)
    assert [field.name for field in outcome.fields] == ["name", "rooms", "demo_day"]
    assert "demo booked" in outcome.summary
    assert outcome.caller.startswith("who_")


async def test_a_lead_is_hot_for_every_reason_that_there_is(rig: Rig) -> None:
    await rig.here.remembers(demo_call())
    (hot,) = [event for event in await rig.told() if event.type == Topic.LEAD_HOT]
    assert msgspec.json.decode(hot.data, type=HotLead).because == ["won", "promised"]


@pytest.mark.parametrize("outcome", [DO_NOT_CALL, "not_interested", ""])
async def test_who_wants_nothing_is_no_hot_lead(rig: Rig, outcome: str) -> None:
    await rig.here.remembers(ToldCall().turn("no thank you", "Goodbye.").over(outcome))
    assert {event.type for event in await rig.told()} == {Topic.CALL_OUTCOME}


async def test_who_is_not_to_be_called_is_cold_whatever_was_promised(rig: Rig) -> None:
    promised = [Promise("callback", "We call you.")]
    await rig.here.remembers(ToldCall().turn("do not call me", "We call you.", promised=promised).over(DO_NOT_CALL))
    assert {event.type for event in await rig.told()} == {Topic.CALL_OUTCOME}


async def test_a_call_of_which_more_is_told_later_is_worked_over_again_and_its_outcome_told_no_more(rig: Rig) -> None:
    call = demo_call()
    await rig.here.remembers(call)
    await rig.here.hears([call.turn("and one more thing", "Yes?").events[-1]])
    while await rig.here.post_call.work():
        pass
    assert [event.type for event in await rig.told()] == [Topic.CALL_OUTCOME, Topic.LEAD_HOT]
