"""Remembered calls for tests of what is counted: by hand, and any that Hypothesis can think of."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from scriza.ports.memory import RememberedCall, RememberedTurn
from scriza.ports.telephony import TurnLatency

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def latency(total_ms: int, *, llm_ms: int = 0) -> TurnLatency:
    return TurnLatency(1, total_ms - llm_ms, 0, llm_ms, 0, 0, total_ms)


def objection(name: str, *, answered: bool = True, said: str = "too dear") -> RememberedTurn:
    return RememberedTurn(
        turn=0, stage="pitch", said=said, confidence=0.9, meant=name, kind="objection", unanswered=not answered
    )


def talk(call_id: str, *turns: RememberedTurn, at: datetime = MONDAY, **told: object) -> RememberedCall:
    """A call that has ended, unless it is told otherwise."""
    fields = {"state": "complete", "playbook": "kite.1", "duration_seconds": 60, "ended_reason": "caller-hung-up"}
    return RememberedCall(call_id=call_id, started_at=at, turns=list(turns), **{**fields, **told})  # type: ignore[arg-type]


stages = st.sampled_from(["opening", "pitch", "close"])
some_turns = st.builds(
    RememberedTurn,
    turn=st.integers(0, 9),
    stage=stages,
    said=st.sampled_from(["", "great, thanks", "this is a scam", "what is the price"]),
    said_in=stages | st.just(""),
    confidence=st.none() | st.floats(0, 1),
    interrupted=st.booleans(),
    tokens=st.integers(0, 500),
    cached=st.booleans(),
    clips=st.integers(0, 3),
    latency=st.none() | st.integers(0, 5000).map(latency),
    meant=st.sampled_from(["", "price", "time"]),
    kind=st.sampled_from(["", "intent", "objection", "faq"]),
    unanswered=st.booleans(),
)


def some_calls(call_ids: st.SearchStrategy[str]) -> st.SearchStrategy[RememberedCall]:
    return st.builds(
        RememberedCall,
        call_id=call_ids,
        state=st.sampled_from(["live", "complete", "worked"]),
        direction=st.sampled_from(["inbound", "outbound"]),
        playbook=st.sampled_from(["", "kite.1", "kite.2", "clinic.1"]),
        started_at=st.integers(0, 3 * 24 * 60).map(lambda minutes: MONDAY + timedelta(minutes=minutes)),
        duration_seconds=st.none() | st.integers(0, 600),
        ended_reason=st.sampled_from(["caller-hung-up", "silence"]),
        outcome=st.sampled_from(["", "booked", "lost"]),
        barge_ins=st.integers(0, 3),
        silence_prompts=st.integers(0, 2),
        turns=st.lists(some_turns, max_size=4),
    )
