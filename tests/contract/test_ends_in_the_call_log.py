"""How a call ends in every journal: once, whether its session, the carrier or the search for lost calls comes first."""

import asyncio
import uuid
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriza.modules.telephony.call_log import StatusReport
from scriza.modules.telephony.service import recover
from scriza.ports.telephony import TERMINAL, CallStatus, TurnRecord
from tests.contract.call_log_rig import (
    CALL,
    METRICS,
    SIDES,
    Rig,
    at,
    completed,
    ending,
    found,
    line,
    new,
    rig_of,
    status,
    updated,
)


@pytest.fixture(params=SIDES)
def rig(request: pytest.FixtureRequest) -> Rig:
    return rig_of(request)


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


async def test_a_status_can_tell_how_the_call_ended_that_it_closes(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.report(msgspec.structs.replace(status("completed", 3), reason="transferred"), completed())
    assert (await rig.record()).ended_reason == "transferred"


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
