"""What every journal of calls keeps to: the one in the store, and the one in memory that tests on virtual time use."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, NotFound
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.call_log import (
    LONGEST_TRANSFER,
    TERMINAL,
    Assignment,
    CallLog,
    CallReader,
    Ending,
    Entry,
    HandOver,
    JournaledCall,
    NewCall,
    Once,
    ReceivedMessage,
    StatusReport,
)
from scriza.modules.telephony.service import TelephonyService, recover
from scriza.ports.agent import Conversation, Exchange
from scriza.ports.telephony import (
    CallCompleted,
    CallMetrics,
    CallQuery,
    CallRecord,
    CallStatus,
    CallUpdated,
    TurnLatency,
    TurnRecord,
)
from tests.memory_log import MemoryCallLog, MemoryOnce

CALL = "CA00000000000000000000000000000001"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class Log(CallLog, CallReader, Protocol):
    """Both sides of a journal."""


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Rig:
    """A log, and what it has told."""

    def __init__(self, log: Log, once: Once, told: Callable[[], Awaitable[list[Event]]], clock: Clock) -> None:
        self.log, self.once, self.clock = log, once, clock
        self._told = told

    async def topics(self) -> list[str]:
        return [event.type.value for event in await self._told()]

    async def record(self, call_id: str = CALL) -> CallRecord:
        record = await self.log.record("default", call_id)
        assert record is not None
        return record


@pytest.fixture(params=["memory", "store"])
def rig(request: pytest.FixtureRequest) -> Rig:
    clock = Clock()
    if request.param == "memory":
        memory = MemoryCallLog(clock)

        async def kept() -> list[Event]:
            return memory.told

        return Rig(memory, MemoryOnce(clock), kept, clock)

    from scriza.modules.telephony.stored_log import MongoCallLog
    from scriza.modules.telephony.stored_once import MongoOnce

    store = request.getfixturevalue("store")

    async def outbox() -> list[Event]:
        rows = await store.database["outbox"].find({}).sort("order", 1).to_list()
        return [msgspec.json.decode(told, type=Event) for row in rows for told in row["events"]]

    return Rig(MongoCallLog(store, clock), MongoOnce(store, clock), outbox, clock)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def new(call_id: str = CALL, workspace: str = "default", started_at: datetime = START) -> NewCall:
    return NewCall(call_id, workspace, "inbound", "+14155550123", "+14155550199", "ringing", started_at)


def line(
    turn: int,
    kind: Literal["user", "reply", "heard"],
    text: str,
    *,
    stage: str = "opening",
    seconds: float = 0,
    confidence: float = 1.0,
    tokens: int = 0,
    conversation: Conversation | None = None,
    call_id: str = CALL,
) -> Entry:
    return Entry(call_id, turn, kind, text, stage, at(seconds), confidence, tokens, conversation)


def status(word: CallStatus, sequence: int, duration: int | None = None) -> StatusReport:
    return StatusReport(CALL, word, sequence, at(sequence), duration)


def ending(reason: str = "caller-hung-up", duration: int = 42, **more: object) -> Ending:
    known = {"call_id": CALL, "reason": reason, "at": at(50), "duration_seconds": duration, "metrics": METRICS}
    return msgspec.convert(known | more, Ending)


METRICS = CallMetrics(turns=2, barge_ins=1, latencies=[TurnLatency(1, 300, 40, 200, 90, 10, 640)])


def updated(word: CallStatus = "in-progress", key: str = "1") -> Event:
    data = CallUpdated(CALL, word, "opening")
    return event(Topic.CALL_UPDATED, data, source="telephony", subject=CALL, key=key, time=START, workspace="default")


def completed(reason: str = "caller-hung-up") -> Event:
    data = CallCompleted(CALL, "completed", reason, "", 42, 2)
    return event(
        Topic.CALL_COMPLETED, data, source="telephony", subject=CALL, key="completed", time=START, workspace="default"
    )


async def test_a_call_is_opened_once_and_told_once(rig: Rig) -> None:
    assert await rig.log.open(new(), updated()) is True
    assert await rig.log.open(new(), updated()) is False
    assert await rig.topics() == ["call.updated"]
    record = await rig.record()
    assert (record.call_id, record.conversation_id, record.status) == (CALL, CALL, "ringing")
    assert (record.turns, record.tokens_used, record.ended_reason, record.duration_seconds) == ([], 0, "", None)


async def test_the_record_follows_the_journal_while_the_call_lives(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello, this is Scrappy.", tokens=0)], [])
    await rig.log.append([line(1, "user", "I'm busy", confidence=0.82)], [])
    await rig.log.append([line(1, "reply", "No problem, shall I call back?", stage="objection", tokens=31)], [])
    record = await rig.record()
    assert record.last_transcript == "I'm busy"
    assert record.confidence == 0.82
    assert record.last_reply == "No problem, shall I call back?"
    assert (record.stage, record.tokens_used) == ("objection", 31)
    await rig.log.append([line(1, "heard", "No problem,", stage="objection")], [])
    record = await rig.record()
    assert record.last_reply == "No problem,"
    assert record.turns == [
        TurnRecord("", "Hello, this is Scrappy.", "opening", 1.0),
        TurnRecord("I'm busy", "No problem,", "objection", 0.82),
    ]


async def test_a_line_that_is_journalled_already_counts_no_tokens_and_changes_nothing(rig: Rig) -> None:
    await rig.log.open(new())
    first = [line(1, "user", "yes"), line(1, "reply", "Great.", tokens=20)]
    await rig.log.append(first, [])
    await rig.log.append([*first, line(1, "heard", "Great.")], [])
    await rig.log.append([line(1, "reply", "Something else.", tokens=20, stage="other")], [])
    record = await rig.record()
    assert (record.tokens_used, record.last_reply, record.stage) == (20, "Great.", "opening")
    assert record.turns == [TurnRecord("yes", "Great.", "opening", 1.0)]


async def test_the_same_line_twice_in_one_go_is_one_line(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hi", tokens=5), line(0, "reply", "Hi", tokens=5)], [])
    assert (await rig.record()).tokens_used == 5


async def test_lines_of_an_unknown_call_are_refused_and_nothing_is_told(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await rig.log.append([line(0, "reply", "Hello")], [updated()])
    assert await rig.topics() == []


async def test_events_are_told_with_the_lines_they_belong_to(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(1, "user", "yes")], [updated(key="a"), updated(key="b")])
    assert await rig.topics() == ["call.updated", "call.updated"]


async def test_a_call_can_be_gone_on_with_from_its_journal(rig: Rig) -> None:
    opened = Conversation("sample:1", "opening", opening="Hello")
    answered = Conversation(
        "sample:1", "pitch", opening="Hello", exchanges=[Exchange("yes", "Great.", ["l.1"])], slots={"na.me$": "Ada"}
    )
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello", conversation=opened)], [])
    await rig.log.append([line(1, "user", "yes"), line(1, "reply", "Great.", conversation=answered)], [])
    await rig.log.append([line(2, "user", "what does it cost")], [])
    call = await rig.log.attach(CALL)
    assert (call.attached, call.next_turn, call.unanswered) == (1, 2, "what does it cost")
    assert call.conversation == answered
    assert call.turns[-1] == TurnRecord("what does it cost", "", "opening", 1.0)
    assert (call.workspace, call.caller, call.callee) == ("default", "+14155550123", "+14155550199")
    assert (await rig.log.attach(CALL)).attached == 2


async def test_what_a_log_returns_is_the_callers_own(rig: Rig) -> None:
    conversation = Conversation("sample:1", "opening")
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello", conversation=conversation)], [])
    conversation.stage = "changed after the fact"
    found = await rig.log.find(CALL)
    assert found is not None
    assert found.conversation == Conversation("sample:1", "opening")


async def test_an_unknown_call_cannot_be_attached_to_or_found(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await rig.log.attach(CALL)
    assert await rig.log.find(CALL) is None
    assert await rig.log.end(ending(), completed()) is False
    assert await rig.log.report(status("completed", 3), completed()) is False
    assert await rig.topics() == []


async def test_ending_folds_the_turns_and_is_told_once(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello"), line(1, "user", "bye", confidence=0.5)], [])
    assert await rig.log.end(ending(outcome="booked"), completed())
    assert not await rig.log.end(ending("something-else", 1), completed())
    record = await rig.record()
    assert (record.ended_reason, record.duration_seconds, record.outcome) == ("caller-hung-up", 42, "booked")
    assert record.metrics == METRICS
    assert record.turns == [TurnRecord("", "Hello", "opening", 1.0), TurnRecord("bye", "", "opening", 0.5)]
    assert await rig.topics() == ["call.completed"]
    call = await found(rig)
    assert (call.outcome, call.ended_reason) == ("booked", "caller-hung-up")


def hand_over(stream: int = 1, seconds: float = 20) -> HandOver:
    return HandOver(CALL, "+14155550100", "Ann asks for you.", stream, at(seconds), METRICS, "booked")


async def found(rig: Rig) -> JournaledCall:
    call = await rig.log.find(CALL)
    assert call is not None
    return call


async def test_a_call_that_is_handed_over_has_not_ended(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    await rig.log.hand_over(hand_over())
    call = await found(rig)
    assert (call.transfer, call.transfer_to, call.whisper) == ("wanted", "+14155550100", "Ann asks for you.")
    assert (call.in_transfer, call.outcome, call.metrics, call.ended_reason) == (True, "booked", METRICS, "")
    assert await rig.topics() == []


async def test_a_transfer_reaches_somebody_or_nobody_and_is_over_then(rig: Rig) -> None:
    await rig.log.open(new())
    assert await rig.log.transferred(CALL, "reached", at(1)) is False
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    assert await rig.log.transferred(CALL, "reached", at(30)) is True
    assert (await found(rig)).transfer == "reached"
    assert await rig.log.transferred(CALL, "unreached", at(31)) is True
    assert await rig.log.transferred(CALL, "reached", at(32)) is False
    assert not (await found(rig)).in_transfer


async def test_a_repeated_hand_over_does_not_call_somebody_again(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    await rig.log.transferred(CALL, "unreached", at(30))
    await rig.log.hand_over(hand_over())
    assert (await found(rig)).transfer == "unreached"
    assert (await rig.log.attach(CALL)).comes_back
    await rig.log.hand_over(hand_over(stream=2))
    assert (await found(rig)).transfer == "wanted"


async def test_a_call_can_be_handed_over_before_any_stream_of_it(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.hand_over(hand_over(stream=0))
    await rig.log.transferred(CALL, "unreached", at(30))
    await rig.log.hand_over(hand_over(stream=0))
    assert (await found(rig)).transfer == "unreached"
    assert (await rig.log.attach(CALL)).comes_back


async def test_a_call_that_goes_on_on_another_stream_is_not_handed_over_any_more(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    assert not (await found(rig)).in_transfer


async def test_a_call_that_has_ended_is_not_handed_over(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.end(ending(), completed())
    await rig.log.hand_over(hand_over())
    assert not (await found(rig)).in_transfer


async def test_a_call_in_a_transfer_is_not_taken_for_lost(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    assert await rig.log.idle(at(3600), 10) == []
    await rig.log.transferred(CALL, "reached", at(30))
    assert await rig.log.idle(at(3600), 10) == []
    assert len(await rig.log.idle(at(60) + LONGEST_TRANSFER, 10)) == 1
    await rig.log.transferred(CALL, "unreached", at(40))
    assert len(await rig.log.idle(at(3600), 10)) == 1


async def test_a_status_can_tell_how_the_call_ended_that_it_closes(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.report(msgspec.structs.replace(status("completed", 3), reason="transferred"), completed())
    assert (await rig.record()).ended_reason == "transferred"


async def test_who_took_the_call_is_told_once(rig: Rig) -> None:
    assert await rig.log.answered(CALL, "human", at(1)) is False
    await rig.log.open(new())
    assert await rig.log.answered(CALL, "machine_start", at(2)) is True
    assert await rig.log.answered(CALL, "human", at(3)) is False
    assert (await found(rig)).answered_by == "machine_start"


async def test_a_call_that_goes_on_on_another_stream_is_not_ended_by_the_one_before(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.attach(CALL)
    assert not await rig.log.end(ending("silence", stream=1), completed())
    assert (await found(rig)).ended_reason == ""
    assert await rig.topics() == []
    assert await rig.log.end(ending("agent-goodbye", stream=2), completed())
    assert not await rig.log.end(ending("silence", stream=1), completed())
    assert (await rig.record()).ended_reason == "agent-goodbye"


async def test_of_many_that_end_a_call_at_once_one_does(rig: Rig) -> None:
    await rig.log.open(new())
    ends = [rig.log.end(ending(f"reason-{n}"), completed()) for n in range(6)]
    reports = [rig.log.report(status("completed", n), completed()) for n in range(2)]
    results = await asyncio.gather(*ends, *reports)
    assert (await rig.topics()).count("call.completed") == 1
    assert sum(results[:6]) <= 1
    assert (await rig.record()).ended_reason


async def test_a_line_that_comes_after_the_end_is_in_the_folded_turns(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello and welcome", tokens=3)], [])
    await rig.log.end(ending(), completed())
    await rig.log.append([line(0, "heard", "Hello", tokens=4)], [])
    record = await rig.record()
    assert record.turns == [TurnRecord("", "Hello", "opening", 1.0)]
    assert (record.tokens_used, record.ended_reason) == (7, "caller-hung-up")


@pytest.mark.parametrize("word", ["completed", "busy", "failed", "no-answer", "canceled"])
async def test_a_terminal_status_closes_a_call_that_no_stream_ever_opened(rig: Rig, word: CallStatus) -> None:
    await rig.log.open(new())
    assert await rig.log.report(status(word, 2, duration=0), updated(word), completed(word))
    record = await rig.record()
    assert (record.status, record.ended_reason, record.duration_seconds) == (word, word, 0)
    assert await rig.topics() == ["call.updated", "call.completed"]


@pytest.mark.parametrize("word", ["queued", "initiated", "ringing", "in-progress"])
async def test_any_other_status_leaves_the_call_open(rig: Rig, word: CallStatus) -> None:
    await rig.log.open(new())
    assert await rig.log.report(status(word, 1), updated(word), completed(word))
    assert ((await rig.record()).status, (await rig.record()).ended_reason) == (word, "")
    assert await rig.topics() == ["call.updated"]


async def test_an_older_status_changes_nothing_and_tells_nothing(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.report(status("in-progress", 2))
    assert not await rig.log.report(status("ringing", 1), updated("ringing"))
    assert not await rig.log.report(status("in-progress", 2), updated())
    assert (await rig.record()).status == "in-progress"
    assert await rig.topics() == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    st.permutations(["initiated", "ringing", "in-progress", "completed", "in-progress"]),
    st.sampled_from(sorted(TERMINAL)),
)
async def test_status_reports_give_the_same_record_in_whatever_order_they_come(
    rig: Rig, order: list[CallStatus], last: CallStatus
) -> None:
    words: list[CallStatus] = ["initiated", "ringing", "in-progress", last]
    call_id = uuid.uuid4().hex
    await rig.log.open(new(call_id))
    for word in order:
        told = last if word == "completed" else word
        sequence = words.index(told)
        duration = 33 if told in TERMINAL else None
        await rig.log.report(StatusReport(call_id, told, sequence, at(sequence), duration))
    record = await rig.record(call_id)
    assert (record.status, record.ended_reason, record.duration_seconds) == (last, last, 33)


async def test_the_session_completes_a_record_that_the_carriers_status_closed_first(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello")], [])
    await rig.log.report(status("completed", 3, duration=40), completed("completed"))
    assert not await rig.log.end(ending("caller-hung-up", 42, outcome="booked"), completed())
    record = await rig.record()
    assert (record.ended_reason, record.outcome, record.metrics) == ("caller-hung-up", "booked", METRICS)
    assert record.duration_seconds == 40, "the carrier knows the true duration"
    assert await rig.topics() == ["call.completed"]
    assert not await rig.log.end(ending("again"), completed())
    assert (await rig.record()).ended_reason == "caller-hung-up"


async def test_the_carriers_duration_stands_over_the_sessions_whichever_comes_first(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.end(ending(duration=42), completed())
    await rig.log.report(status("completed", 3, duration=44), completed("completed"))
    record = await rig.record()
    assert (record.duration_seconds, record.status, record.ended_reason) == (44, "completed", "caller-hung-up")
    assert await rig.topics() == ["call.completed"]


async def test_a_forgotten_call_is_closed_as_lost_with_its_turns(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello", seconds=5), line(1, "user", "hi", seconds=9)], [])
    await rig.log.open(new("CA-lively", started_at=at(1000)))
    rig.clock.now = at(1200)
    assert await recover(rig.log, rig.log, idle_for=timedelta(minutes=10), clock=rig.clock) == 1
    assert await recover(rig.log, rig.log, idle_for=timedelta(minutes=10), clock=rig.clock) == 0
    record = await rig.record()
    assert (record.ended_reason, record.duration_seconds, record.metrics.turns) == ("lost", 9, 2)
    assert [turn.user for turn in record.turns] == ["", "hi"]
    assert (await rig.record("CA-lively")).ended_reason == ""
    assert await rig.topics() == ["call.completed"]


async def test_a_call_that_somebody_attached_to_meanwhile_is_not_lost(rig: Rig) -> None:
    await rig.log.open(new())
    idle = await rig.log.idle(at(0), 10)
    assert [found.call.call_id for found in idle] == [CALL]
    rig.clock.now = at(30)
    await rig.log.attach(CALL)
    assert not await rig.log.end(ending("lost", idle_since=at(0)), completed("lost"))
    assert (await rig.record()).ended_reason == ""
    assert await rig.topics() == []


async def test_a_lost_call_whose_session_lives_after_all_gets_its_true_reason(rig: Rig) -> None:
    await rig.log.open(new())
    assert await rig.log.end(ending("lost", idle_since=at(0)), completed("lost"))
    assert not await rig.log.end(ending("agent-goodbye"), completed())
    assert (await rig.record()).ended_reason == "agent-goodbye"
    assert await rig.topics() == ["call.completed"]


async def test_calls_are_read_by_their_own_workspace_only(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.open(new("CA-theirs", workspace="other"))
    service = TelephonyService(rig.log)
    with acting(Principal(workspace="other")):
        assert (await service.call("CA-theirs")).call_id == "CA-theirs"
        with pytest.raises(NotFound):
            await service.call(CALL)
        assert [call.call_id for call in (await service.calls(CallQuery())).data] == ["CA-theirs"]
    assert (await service.call(CALL)).call_id == CALL


async def test_pages_of_calls_go_back_in_time_without_a_gap_or_a_repetition(rig: Rig) -> None:
    for n in range(7):
        await rig.log.open(new(f"CA{n}", started_at=at(n // 2)))
    service = TelephonyService(rig.log)
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await service.calls(CallQuery(limit=3, cursor=cursor))
        found += [call.call_id for call in page.data]
        cursor = page.next
    assert found == ["CA6", "CA5", "CA4", "CA3", "CA2", "CA1", "CA0"]
    assert cursor == ""


@pytest.mark.parametrize("cursor", ["x", "ÄÖ", "e30", "WyJhIiwgMV0", "=" * 9])
async def test_a_cursor_that_no_page_has_given_is_refused(rig: Rig, cursor: str) -> None:
    with pytest.raises(BadInput):
        await TelephonyService(rig.log).calls(CallQuery(cursor=cursor))


async def test_a_listed_call_has_no_turns(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello")], [])
    assert (await TelephonyService(rig.log).calls(CallQuery())).data[0].turns == []


async def test_a_part_of_the_event_log_is_kept_once(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.keep_event_log(CALL, 0, b'{"at":0}\n')
    await rig.log.keep_event_log(CALL, 0, b"again")
    await rig.log.keep_event_log(CALL, 1, b'{"at":1}\n')
    with pytest.raises(NotFound):
        await rig.log.keep_event_log("CA-unknown", 0, b"")


async def test_a_key_is_claimed_by_one_until_it_expires(rig: Rig) -> None:
    claims = await asyncio.gather(*(rig.once.claim("token:a", at(60)) for _ in range(8)))
    assert sorted(claims) == [False] * 7 + [True]
    assert await rig.once.claim("token:b", at(60))
    rig.clock.now = at(61)
    claims = await asyncio.gather(*(rig.once.claim("token:a", at(120)) for _ in range(8)))
    assert sum(claims) == 1


async def test_the_first_answer_to_a_key_stands(rig: Rig) -> None:
    assert await rig.once.answer("hook:1") is None
    answers = await asyncio.gather(*(rig.once.keep_answer("hook:1", b"<Response>%d" % n) for n in range(5)))
    assert len(set(answers)) == 1
    assert await rig.once.answer("hook:1") == answers[0]
    assert await rig.once.answer("hook:2") is None


async def test_a_call_keeps_how_it_is_to_be_led(rig: Rig) -> None:
    led = Assignment("book", "+14155550177", "order-1", "They asked for a demo.", {"na.me$": "Ada"})
    await rig.log.open(msgspec.structs.replace(new(), assignment=led))
    found = await rig.log.find(CALL)
    assert found is not None
    assert found.assignment == led
    record = await rig.record()
    assert (record.order_id, record.reason) == ("order-1", "They asked for a demo.")


async def test_a_message_is_kept_once_beside_its_call_and_told_once(rig: Rig) -> None:
    await rig.log.open(new())
    for text in ("Tuesday", "Something else"):
        message = ReceivedMessage("SM1", "default", CALL, text, at(60))
        assert await rig.log.keep_message(message, updated(key=text)) is (text == "Tuesday")
    assert await rig.log.keep_message(ReceivedMessage("SM2", "default", CALL, "at ten", at(61)))
    assert await rig.log.keep_message(ReceivedMessage("SM3", "default", "", "who is this", at(62)))
    messages = (await rig.record()).messages
    assert [(each.message_id, each.text, each.received_at) for each in messages] == [
        ("SM1", "Tuesday", at(60)),
        ("SM2", "at ten", at(61)),
    ]
    assert await rig.topics() == ["call.updated"]


async def test_the_last_call_with_a_number_is_found_whoever_called(rig: Rig) -> None:
    await rig.log.open(new("CA1", started_at=at(1)))
    outbound = msgspec.structs.replace(new("CA2", started_at=at(2)), caller="+14155550199", callee="+14155550123")
    await rig.log.open(outbound)
    await rig.log.open(new("CA3", workspace="other", started_at=at(3)))
    assert await rig.log.last_call_with("default", "+14155550123") == "CA2"
    assert await rig.log.last_call_with("other", "+14155550123") == "CA3"
    assert await rig.log.last_call_with("default", "+14155550777") == ""


async def test_a_transfer_before_any_stream_leaves_room_for_one_after_it(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.hand_over(HandOver(CALL, "+14155550177", "", 0, at(1), CallMetrics()))
    assert await rig.log.transferred(CALL, "unreached", at(30))
    await rig.log.attach(CALL)
    await rig.log.hand_over(HandOver(CALL, "+14155550188", "", 1, at(60), CallMetrics(transfers=1)))
    found = await rig.log.find(CALL)
    assert found is not None
    assert (found.transfer, found.transfer_to) == ("wanted", "+14155550188")
