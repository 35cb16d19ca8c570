"""A caller is forgotten by telephony: what is left of them in its collections and objects is figures."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.call_log import Assignment, Ending, Entry, HandOver, NewCall, ReceivedMessage
from scriza.modules.telephony.forgetting.service import Forgetting
from scriza.modules.telephony.forgetting.stored import MongoForgettingBook
from scriza.modules.telephony.placing.callbacks import Callback
from scriza.modules.telephony.placing.intents import Asked, CallWish, Done, Ended, Intent, TextWish, after, intent_of
from scriza.modules.telephony.placing.permission import ListsSwitchAndCredit
from scriza.modules.telephony.placing.stored import (
    MongoBarredBook,
    MongoCallbackBook,
    MongoIntentBook,
    MongoSwitchBook,
)
from scriza.modules.telephony.recordings.at_carrier import RecordingsAtCarrier
from scriza.modules.telephony.recordings.log import CallRecording
from scriza.modules.telephony.recordings.service import RecordingOptions, Recordings
from scriza.modules.telephony.recordings.stored import MongoRecordingLog
from scriza.modules.telephony.stored_log import MongoCallLog
from scriza.modules.telephony.stored_once import MongoOnce
from scriza.ports.agent import Conversation, Exchange
from scriza.ports.call_desk import BarredNumber
from scriza.ports.carrier import Recording
from scriza.ports.memory import CallerErased, CallerForgotten
from scriza.ports.telephony import CallMetrics
from scriza_adapters.mongo.store import MongoStore
from tests.memory_books import name_of
from tests.memory_credit import Purse
from tests.memory_objects import MemoryObjects
from tests.memory_placing import ALWAYS
from tests.standins.carrier import StandInCarrier

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
THEM, US, OTHER = "+14155550123", "+18005551212", "+14155550777"
WHO = name_of("default", THEM)
NAME, MAIL, SAID = "Aurelia", "aurelia@example.org", "the blue submarine"
CANARIES = (THEM, WHO, NAME, MAIL, SAID)


class Recorded(StandInCarrier):
    """A carrier that has recorded something of each call."""

    def __init__(self, clock: "Rig") -> None:
        super().__init__(clock.clock)
        self.recorded: dict[str, list[Recording]] = {}
        self.away = False

    async def recordings(self, call_id: str) -> list[Recording]:
        if self.away:
            raise Unavailable("the carrier is away")
        return self.recorded.get(call_id, [])

    async def delete_recording(self, recording_id: str) -> None:
        self.recorded = {
            call: [each for each in kept if each.recording_id != recording_id] for call, kept in self.recorded.items()
        }


class Rig:
    """Telephony's side of forgetting on a real store."""

    def __init__(self, store: MongoStore) -> None:
        self.store, self.now = store, START
        self.log, self.once = MongoCallLog(store, self.clock), MongoOnce(store, self.clock)
        self.objects, self.carrier = MemoryObjects(), Recorded(self)
        self.intents, self.barred = MongoIntentBook(store, name_of), MongoBarredBook(store, name_of)
        self.callbacks, self.recording_log = MongoCallbackBook(store, name_of), MongoRecordingLog(store)
        self.book = MongoForgettingBook(store, self.clock)
        self.forgetting = self.another_process()

    def clock(self) -> datetime:
        return self.now

    def another_process(self) -> Forgetting:
        at_carrier = RecordingsAtCarrier(self.carrier, "https://scriza.example/recording-callback")
        recordings = Recordings(
            RecordingOptions(by="ours"), self.recording_log, self.log, self.objects, at_carrier, clock=self.clock
        )
        return Forgetting(self.book, recordings, self.intents, self.callbacks, self.barred, self.clock)

    async def call(self, call_id: str = "CA1", caller: str = THEM, *, ended: bool = True) -> None:
        """A call in which things were said, with everything that is kept of one."""
        led = Assignment("book", "+15550001111", "", f"about {NAME}", {"name": NAME})
        who = name_of("default", caller) if caller else ""
        new = NewCall(call_id, "default", "inbound", caller, US, "ringing", self.now, led, who=who)
        await self.log.open(new)
        await self.log.attach(call_id)
        talk = Conversation("book", "pitch", exchanges=[Exchange(SAID, f"Thank you, {NAME}.")], slots={"mail": MAIL})
        said = [
            Entry(call_id, 1, "user", SAID, "pitch", self.now),
            Entry(call_id, 1, "reply", f"Thank you, {NAME}.", "pitch", self.now, tokens=7, conversation=talk),
        ]
        await self.log.append(said, [])
        await self.log.keep_event_log(call_id, 0, f"{SAID} {MAIL}".encode())
        await self.log.hand_over(HandOver(call_id, "+15550001111", f"{NAME} asks", 1, self.now, CallMetrics()))
        with acting(Principal("default", subject="telephony"), call_id=call_id):
            await self.once.keep_answer(f"key-{call_id}", f"<Say>{NAME} asks</Say>".encode())
        if ended:
            await self.end(call_id)

    async def end(self, call_id: str = "CA1") -> None:
        ending = Ending(call_id, "agent-goodbye", self.now, 30, CallMetrics(turns=2), "demo_booked")
        await self.log.end(ending)

    def order(self, *call_ids: str, key: str = "1") -> Event:
        told = CallerForgotten("era_1", WHO, list(call_ids))
        return event(
            Topic.CALLER_FORGOTTEN,
            told,
            source="memory",
            subject="era_1",
            key=key,
            time=self.now,
            workspace="default",
        )

    async def intend(self, name: str, wish: CallWish | TextWish, to: str = THEM) -> Intent:
        intent = Intent(
            intent_of("default", name), "default", US, to, wish, self.now, self.now + timedelta(hours=1), self.now
        )
        return await self.intents.record(intent, lambda standing: None)

    async def change(self, intent: Intent, *events: object) -> Intent:
        for happened in events:
            moved = after(intent, happened, self.now)  # type: ignore[arg-type]  # the tests name events
            assert await self.intents.change(intent, moved)
            intent = moved
        return intent

    async def found(self, *canaries: str) -> list[str]:
        """Where any of them is still found: names of collections and objects."""
        wanted, where = canaries or CANARIES, []
        for name in await self.store.database.list_collection_names():
            rows = repr(await self.store.database[name].find().to_list())
            if name not in {"outbox", "forgetting_orders"} and any(word in rows for word in wanted):
                where.append(name)
        return [*where, *(key for key in self.objects.kept if any(word in key for word in wanted))]

    async def proofs(self) -> list[CallerErased]:
        rows = await self.store.database["outbox"].find().sort("order", 1).to_list()
        told = [msgspec.json.decode(text, type=Event) for row in rows for text in row["events"]]
        return [msgspec.json.decode(each.data, type=CallerErased) for each in told if each.type == Topic.CALLER_ERASED]


@pytest.fixture
async def rig(store: MongoStore) -> AsyncIterator[Rig]:
    return Rig(store)


# ---- calls --------------------------------------------------------------------------------------------------------


async def test_of_a_call_that_has_ended_nothing_is_left_but_figures(rig: Rig) -> None:
    await rig.call()
    assert set(await rig.found()) == {"calls", "call_turns", "call_event_logs", "webhook_answers"}
    await rig.forgetting.forget(rig.order("CA1"))
    assert await rig.found() == []
    record = await rig.log.record("default", "CA1")
    assert record is not None
    assert (record.forgotten, record.turns, record.last_transcript, record.reason) == (True, [], "", "")
    assert (record.tokens_used, record.metrics.turns, record.outcome) == (7, 2, "demo_booked")
    assert (record.duration_seconds, record.ended_reason, record.stage) == (30, "agent-goodbye", "pitch")
    counts = {"calls": 1, "turns": 2, "event_logs": 1, "answers": 1}
    assert await rig.proofs() == [CallerErased("era_1", "telephony", counts)]


async def test_calls_are_found_by_who_made_them_also_where_nobody_has_named_them(rig: Rig) -> None:
    await rig.call("CA1")
    await rig.call("CA2")
    await rig.forgetting.forget(rig.order("CA2"))
    assert await rig.found() == []


async def test_other_people_and_who_comes_back_later_keep_their_calls(rig: Rig) -> None:
    await rig.call("CA1")
    await rig.call("CA2", caller=OTHER)
    order = rig.order("CA1")
    rig.now += timedelta(minutes=1)
    await rig.call("CA3")
    await rig.forgetting.forget(order)
    for call_id, turns in (("CA1", 0), ("CA2", 1), ("CA3", 1)):
        record = await rig.log.record("default", call_id)
        assert record is not None
        assert (len(record.turns), record.forgotten) == (turns, call_id == "CA1")


async def test_an_order_about_calls_alone_leaves_everybody_else_be(rig: Rig) -> None:
    """Who hides their number is nobody, and there are many of them."""
    await rig.call("CA1", caller="")
    await rig.call("CA2", caller="")
    await rig.log.keep_message(ReceivedMessage("SM1", "default", "", "somebody else", rig.now, ""))
    order = rig.order("CA1")
    data = CallerForgotten("era_1", "", ["CA1"])
    await rig.forgetting.forget(msgspec.structs.replace(order, data=msgspec.Raw(msgspec.json.encode(data))))
    records = [await rig.log.record("default", call_id) for call_id in ("CA1", "CA2")]
    assert [record.forgotten for record in records if record] == [True, False]
    assert await rig.store.database["call_messages"].count_documents({}) == 1


async def test_a_call_that_lives_is_erased_when_it_has_ended_and_only_then_that_is_told(rig: Rig) -> None:
    await rig.call(ended=False)
    await rig.forgetting.forget(rig.order("CA1"))
    assert "call_turns" in await rig.found()
    assert await rig.proofs() == []
    rig.now += timedelta(minutes=1)
    await rig.log.append([Entry("CA1", 2, "user", f"I am {NAME}", "pitch", rig.now)], [])
    await rig.end()
    await rig.another_process().settle_due()
    assert await rig.proofs() == []  # others have still to hear that it has ended
    rig.now += timedelta(seconds=10)
    await rig.another_process().settle_due()
    assert await rig.found() == []
    assert [proof.erased["turns"] for proof in await rig.proofs()] == [3]


async def test_what_a_call_leads_to_after_the_order_goes_with_it(rig: Rig) -> None:
    await rig.call(ended=False)
    await rig.forgetting.forget(rig.order("CA1"))
    rig.now += timedelta(minutes=1)
    sending = await rig.change(await rig.intend("s1", TextWish(f"Sorry to miss you, {NAME}")), Asked())
    await rig.end()
    rig.now += timedelta(minutes=1)
    await rig.forgetting.settle_due()
    await rig.change(sending, Done("SM1"))
    await rig.forgetting.settle_due()
    assert await rig.found() == []
    assert len(await rig.proofs()) == 1


async def test_nothing_comes_back_to_a_call_that_was_erased(rig: Rig) -> None:
    await rig.call()
    await rig.forgetting.forget(rig.order("CA1"))
    await rig.log.append([Entry("CA1", 3, "heard", SAID, "pitch", rig.now)], [])
    await rig.log.keep_event_log("CA1", 1, SAID.encode())
    await rig.end()
    new = NewCall("CA1", "default", "inbound", THEM, US, "ringing", rig.now, who=WHO)
    assert not await rig.log.open(new)
    assert await rig.found() == []


async def test_an_order_is_carried_out_once_whoever_hears_it_and_however_often(rig: Rig) -> None:
    await rig.call()
    order = rig.order("CA1")
    await rig.forgetting.forget(order)
    await rig.another_process().forget(order)
    await rig.another_process().settle_due()
    proofs = await rig.proofs()
    assert proofs[0].erased["turns"] == 2
    rows = await rig.store.database["outbox"].find().to_list()
    assert len({msgspec.json.decode(row["events"][0], type=Event).id for row in rows}) == 1


async def test_an_order_that_a_process_took_before_it_was_killed_is_carried_out_by_another(rig: Rig) -> None:
    await rig.call("CA1")
    await rig.call("CA2")
    order = rig.order("CA1", "CA2")
    await rig.book.begin(order)
    await rig.book.erase_call(order, "CA1")
    await rig.another_process().settle_due()
    assert await rig.found() == []
    assert [proof.erased["turns"] for proof in await rig.proofs()] == [4]


async def test_messages_without_any_call_go_as_well(rig: Rig) -> None:
    await rig.log.keep_message(ReceivedMessage("SM1", "default", "", f"it is {NAME}", rig.now, WHO))
    await rig.log.keep_message(ReceivedMessage("SM2", "default", "", "somebody else", rig.now, "who_else"))
    await rig.forgetting.forget(rig.order())
    assert await rig.found() == []
    assert await rig.found("somebody else") == ["call_messages"]


# ---- recordings ---------------------------------------------------------------------------------------------------


async def record(rig: Rig, call_id: str = "CA1", *, by: str = "ours", state: str = "kept") -> CallRecording:
    recording = msgspec.convert(
        {"call_id": call_id, "workspace": "default", "by": by, "began_at": rig.now}, CallRecording
    )
    await rig.recording_log.begin(recording)
    await rig.objects.put(recording.file, b"sound", "audio/wav")
    await rig.objects.put(f"{recording.folder}/1-7", b"a segment that was late", "application/msgpack")
    if state == "kept":
        await rig.recording_log.settle(call_id, "kept", rig.now, duration_ms=1000, channels=2)
    return recording


async def test_a_recording_goes_with_its_segments_and_its_document(rig: Rig) -> None:
    await rig.call()
    await record(rig)
    await rig.forgetting.forget(rig.order("CA1"))
    assert rig.objects.kept == {}
    assert await rig.recording_log.find("CA1") is None
    assert [proof.erased["recordings"] for proof in await rig.proofs()] == [2]


async def test_what_the_carrier_has_recorded_goes_there_too_and_is_tried_until_it_does(rig: Rig) -> None:
    await rig.call()
    await record(rig, by="carrier")
    rig.carrier.recorded["CA1"] = [Recording("RE1", "completed", 2, 30)]
    rig.carrier.away = True
    await rig.forgetting.forget(rig.order("CA1"))
    assert await rig.proofs() == []
    rig.carrier.away = False
    await rig.forgetting.settle_due()
    assert rig.carrier.recorded["CA1"] == []
    assert rig.objects.kept == {}
    assert len(await rig.proofs()) == 1


async def test_a_recording_that_is_being_made_is_erased_when_it_is_made(rig: Rig) -> None:
    await rig.call()
    await record(rig, state="open")
    await rig.forgetting.forget(rig.order("CA1"))
    assert rig.objects.kept
    assert await rig.proofs() == []
    await rig.recording_log.settle("CA1", "kept", rig.now)
    await rig.forgetting.settle_due()
    assert rig.objects.kept == {}
    assert len(await rig.proofs()) == 1


# ---- what we meant to do ------------------------------------------------------------------------------------------


def call_wish(name: str) -> CallWish:
    return CallWish(Assignment("book", "", name, f"ask {NAME}", {"name": NAME}))


async def test_orders_and_messages_that_are_done_are_done_once_for_nobody_in_particular(rig: Rig) -> None:
    placed = await rig.intend("o1", call_wish("o1"))
    await rig.change(placed, Asked(), Done("CA1"), Ended(100))
    sent = await rig.intend("s1", TextWish(f"Hello {NAME}"))
    await rig.change(sent, Asked(), Done("SM1"))
    await rig.forgetting.forget(rig.order())
    assert await rig.found() == []
    again = await rig.intend("o1", call_wish("o1"))
    assert (again.state, again.to, again.carrier_id, again.cost_micro_usd) == ("done", "", "CA1", 100)
    assert [proof.erased for proof in await rig.proofs()] == [{"orders": 2}]


async def test_what_waits_to_be_done_is_not_done_any_more(rig: Rig) -> None:
    await rig.intend("o1", call_wish("o1"))
    await rig.callbacks.put(
        Callback("c1", "default", rig.now + timedelta(days=1), US, THEM, "book", f"for {NAME}", {"name": NAME})
    )
    await rig.forgetting.forget(rig.order())
    assert await rig.found() == []
    refused = await rig.intents.find(intent_of("default", "o1"))
    assert refused is not None
    assert (refused.state, refused.reason) == ("refused", "forgotten")
    assert await rig.intents.due(rig.now + timedelta(days=1), 10) == []
    assert [proof.erased for proof in await rig.proofs()] == [{"callbacks": 1, "orders": 1}]


async def test_what_the_carrier_is_being_asked_for_is_erased_when_that_is_settled(rig: Rig) -> None:
    asked = await rig.change(await rig.intend("o1", call_wish("o1")), Asked())
    await rig.forgetting.forget(rig.order())
    assert await rig.found() == ["carrier_intents"]
    await rig.change(asked, Done("CA1"), Ended(10))
    await rig.forgetting.settle_due()
    assert await rig.found() == []
    assert len(await rig.proofs()) == 1


async def test_a_call_that_we_placed_waits_for_its_order_to_learn_of_the_end(rig: Rig) -> None:
    placed = await rig.change(await rig.intend("o1", call_wish("o1")), Asked(), Done("CA1"))
    led = call_wish("o1").assignment
    new = NewCall("CA1", "default", "outbound", US, THEM, "in-progress", rig.now, led, who=WHO)
    await rig.log.open(new)
    await rig.end()
    await rig.forgetting.forget(rig.order("CA1"))
    assert "calls" in await rig.found()
    await rig.change(placed, Ended(10))
    await rig.forgetting.settle_due()
    assert await rig.found() == []
    record = await rig.log.record("default", "CA1")
    assert record is not None
    assert record.forgotten


async def test_who_asked_not_to_be_called_is_still_not_called_although_nobody_has_the_number(rig: Rig) -> None:
    await rig.barred.put("default", BarredNumber(THEM, "call", f"asked for by {NAME}", rig.now))
    await rig.forgetting.forget(rig.order())
    assert await rig.found(THEM, NAME) == []
    permission = ListsSwitchAndCredit(ALWAYS, rig.barred, MongoSwitchBook(rig.store), Purse().for_calls(), rig.clock)
    assert await permission.refused(await rig.intend("o1", call_wish("o1"))) == "do-not-call"
    assert await permission.refused(await rig.intend("s1", TextWish("Hello"))) == "do-not-call"
    assert await permission.refused(await rig.intend("o2", call_wish("o2"), to=OTHER)) == ""
