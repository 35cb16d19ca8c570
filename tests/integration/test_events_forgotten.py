"""What the store of events keeps of a caller who is to be forgotten: nothing that was said, by anybody."""

import asyncio
from datetime import UTC, datetime

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.ports.erasure import FORGETTING
from scriza.ports.memory import CallerErased, CallerForgotten
from scriza.ports.telephony import CallCompleted, ReplyGenerated, UtteranceTranscribed
from scriza.ports.usage import LlmUsed
from scriza_adapters.mongo.forgetting import EventForgetting
from scriza_adapters.mongo.store import MongoStore
from tests.integration.test_event_bus import Ear, settled
from tests.waiting import eventually

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SAID = "my name is Aurelia"


def about(
    topic: Topic, data: msgspec.Struct, subject: str = "CA1", key: str = "1", workspace: str = "default"
) -> Event:
    return event(topic, data, source="test", subject=subject, key=key, time=NOW, workspace=workspace)


def turn(call: str = "CA1", workspace: str = "default") -> list[Event]:
    said = UtteranceTranscribed(call, 1, SAID, 0.9)
    answered = ReplyGenerated(call, 1, f"Hello, {SAID}", "Hello", "pitch", "gpt", 10)
    used = LlmUsed(call, "gpt", 100, 10, cached=False, estimated=False)
    return [
        about(Topic.UTTERANCE_TRANSCRIBED, said, call, workspace=workspace),
        about(Topic.REPLY_GENERATED, answered, call, workspace=workspace),
        about(Topic.USAGE_LLM, used, call, workspace=workspace),
    ]


def forgotten(*calls: str) -> Event:
    return about(Topic.CALLER_FORGOTTEN, CallerForgotten("era_1", "who_ada", list(calls)), "era_1")


async def rows(store: MongoStore) -> str:
    kept = [*await store.database["outbox"].find().to_list(), *await store.database["parked_events"].find().to_list()]
    return repr(kept)


def forgets(store: MongoStore) -> Ear:
    """Erasing is on; returns what is heard of its being done."""
    done = Ear()
    store.bus.subscribe("events-forgetting", FORGETTING, EventForgetting(store.database, store.outbox).forget)
    store.bus.subscribe("proof", frozenset({Topic.CALLER_ERASED}), done)
    return done


async def test_what_everybody_has_heard_goes_and_that_is_told_with_how_much_it_was(store: MongoStore) -> None:
    done = forgets(store)
    await store.outbox.publish(*turn(), *turn("CA2"))
    await store.outbox.publish(forgotten("CA1", "CA2"))
    await eventually(lambda: done.heard)
    assert SAID not in await rows(store)
    (proof,) = done.heard
    assert msgspec.json.decode(proof.data, type=CallerErased) == CallerErased("era_1", "events", {"heard": 2})


async def test_other_calls_and_other_workspaces_keep_theirs(store: MongoStore) -> None:
    done = forgets(store)
    await store.outbox.publish(*turn("CA2"), *turn("CA1", workspace="acme"))
    before = await store.database["outbox"].find().to_list()
    await store.outbox.publish(forgotten("CA1"))
    await eventually(lambda: done.heard)
    kept = {row["_id"] for row in await store.database["outbox"].find().to_list()}
    assert {row["_id"] for row in before} <= kept


async def test_who_has_still_to_hear_of_the_call_hears_its_figures_and_no_words(store: MongoStore) -> None:
    done, late, began, go_on = forgets(store), Ear(), asyncio.Event(), asyncio.Event()

    async def waits(event: Event) -> None:
        began.set()
        await go_on.wait()
        await late(event)

    topics = {Topic.CALL_STARTED, Topic.UTTERANCE_TRANSCRIBED, Topic.REPLY_GENERATED, Topic.USAGE_LLM}
    store.bus.subscribe("usage", frozenset({*topics, Topic.CALL_COMPLETED}), waits)
    await store.outbox.publish(about(Topic.CALL_COMPLETED, CallCompleted("CA0", "completed", "x", "", 1, 1), "CA1"))
    await began.wait()
    await store.outbox.publish(*turn())
    await store.outbox.publish(forgotten("CA1"))
    await eventually(lambda: done.heard)
    assert SAID not in await rows(store)
    go_on.set()
    await eventually(lambda: len(late.heard) >= 2)
    await settled(store)
    assert [event.type for event in late.heard] == [Topic.CALL_COMPLETED, Topic.USAGE_LLM]


async def test_what_is_parked_goes_as_well(store: MongoStore) -> None:
    async def fails(event: Event) -> None:
        raise ValueError

    done = forgets(store)
    store.bus.subscribe("poisoned", frozenset({Topic.UTTERANCE_TRANSCRIBED}), fails)
    await store.outbox.publish(*turn())
    await settled(store)
    assert await store.database["parked_events"].count_documents({}) == 1
    await store.outbox.publish(forgotten("CA1"))
    await eventually(lambda: done.heard)
    assert SAID not in await rows(store)


async def test_to_erase_again_erases_nothing_more_and_proves_the_same(store: MongoStore) -> None:
    eraser = EventForgetting(store.database, store.outbox)
    done = Ear()
    store.bus.subscribe("proof", frozenset({Topic.CALLER_ERASED}), done)
    await store.outbox.publish(*turn())
    for _ in range(3):
        await eraser.forget(forgotten("CA1"))
    await eventually(lambda: done.heard)
    await settled(store)
    assert len(done.heard) == 1
