"""What a terminal tells of a simulated call, while it lasts and when it is over."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scriza.cli.conversation import Conversation, summary
from scriza.ports.telephony import CallMetrics, CallRecord, Telephony, TurnLatency, TurnRecord
from scriza.simulator.report import CallOutcome, Gap, Happening, Utterance, Violation
from scriza.wire import connect, disconnect

OUTCOME = CallOutcome(
    call_sid="CA1",
    scenario="test",
    status="completed",
    ended_by="agent",
    answered_at_ms=20,
    ended_at_ms=9_000,
    streams=1,
    happenings=[],
    violations=[],
    utterances=[],
    agent=[],
    gaps=[],
    messages=[],
    unmet=[],
    clock_lag_ms=0,
    wav=b"",
)
RECORD = CallRecord(
    call_id="CA1",
    conversation_id="CA1",
    status="completed",
    direction="inbound",
    stage="pitch",
    last_transcript="how much",
    last_reply="Nineteen dollars.",
    confidence=0.9,
    tokens_used=1,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    duration_seconds=9,
    ended_reason="agent-goodbye",
    outcome="",
    turns=[TurnRecord("", "Hello.", "greeting", 1), TurnRecord("how much", "Nineteen dollars.", "pitch", 0.9)],
    metrics=CallMetrics(turns=2, barge_ins=1, latencies=[TurnLatency(1, 549, 0, 0, 0, 1, 550)]),
)


def told(record: CallRecord | None = RECORD, **more: Any) -> list[str]:
    return list(summary(msgspec.structs.replace(OUTCOME, **more), record))


def test_the_transcript_has_each_answers_latency_with_its_parts() -> None:
    assert told() == [
        "The transcript, as the API tells it:",
        "  agent   Hello.",
        "  caller  how much",
        "  agent   Nineteen dollars.",
        "          [550 ms to the answer: end of turn 549, hearing 0, thinking 0, voice 0, sending 1]",
        "  (What took 0 ms was ready before it was certain that the turn was over.)",
        "Ended: agent-goodbye, status completed, 9 s, 2 turns, 1 token, 1 interruption, 0 false",
    ]


def test_what_the_phone_measured_is_told_where_there_is_something() -> None:
    asked = Utterance("say", "how much", 0, 900, over_agent=True, response_ms=600, barge_in_ms=245, paused_ms=None)
    assert told(None) == []
    assert told(None, utterances=[asked], gaps=[Gap(3_000, 20.0)]) == [
        "At the phone: answers after 600 ms of silence",
        "At the phone: silent 245 ms after the caller cut in",
        "At the phone: 1 gap in the agent's speech",
    ]


def test_everything_that_was_not_as_it_should_be_is_told() -> None:
    assert told(None, violations=[Violation(500, 31951, "invalid message: no JSON")], unmet=["status: busy"]) == [
        "Twilio would refuse this, error 31951: invalid message: no JSON",
        "Not as the scenario expects: status: busy",
    ]


def test_a_simulator_that_is_not_let_in_is_told_what_both_must_share() -> None:
    _, cure = told(None, violations=[Violation(20, 11200, "/voice: answered with 403")])
    assert "the same SCRIZA_DATA_DIR, or the same TWILIO_AUTH_TOKEN and SCRIZA_SERVICE_TOKEN" in cure


async def test_what_the_phone_does_is_told_as_it_happens_and_no_address_with_a_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = connect(Telephony, "http://127.0.0.1:9")
    conversation = Conversation(calls)
    for happening in (
        Happening(20, "status", "ringing"),
        Happening(60, "twiml", "Connect to ws://127.0.0.1:8000/stream/a-token"),
        Happening(70, "webhook", "POST http://127.0.0.1:8000/voice"),
        Happening(80, "stream", "started"),
        Happening(1_500, "caller", '"what does it do"'),
        Happening(2_000, "twiml", 'Say "We are closed."'),
    ):
        conversation.happens("CA1", happening)
    await disconnect(calls)
    assert capsys.readouterr().out.splitlines() == [
        "   0.02 s  phone     ringing",
        "   0.08 s  media     started",
        '   1.50 s  caller >  "what does it do"',
        '   2.00 s  carrier   Say "We are closed."',
    ]
