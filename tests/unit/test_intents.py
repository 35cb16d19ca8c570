"""The life of an intent: in whatever order things happen, the carrier is not asked twice for what it may have done."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.intents import (
    GIVE_UP,
    LEASE,
    MOST_ASKS,
    VISIBLE,
    AnswerLost,
    Asked,
    CallWish,
    Done,
    Ended,
    Event,
    Intent,
    LookUpFailed,
    NothingFound,
    Postponed,
    Refused,
    TextWish,
    after,
    due,
    takes,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def intent(wish: CallWish | TextWish = CallWish(Assignment())) -> Intent:  # noqa: B008 - frozen
    return Intent("i", "default", "+1", "+2", wish, NOW, NOW + timedelta(minutes=2), NOW, cost_micro_usd=100)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_what_is_recorded_is_asked_for_and_done() -> None:
    waiting = intent()
    assert due(waiting, NOW) == "ask"
    asking = after(waiting, Asked(), NOW)
    assert (asking.state, asking.asks, due(asking, NOW)) == ("asking", 1, None)
    done = after(asking, Done("CA1"), at(1))
    assert (done.state, done.carrier_id, done.over, done.cost_micro_usd) == ("done", "CA1", False, 100)
    ended = after(done, Ended(28), at(60))
    assert (ended.over, ended.cost_micro_usd) == (True, 28)


def test_a_message_that_is_sent_is_over() -> None:
    assert after(after(intent(TextWish("hi")), Asked(), NOW), Done("SM1"), NOW).over


def test_an_answer_that_did_not_come_is_looked_up_before_anything_is_repeated() -> None:
    lost = after(after(intent(), Asked(), NOW), AnswerLost(), at(10))
    assert (lost.state, due(lost, at(10))) == ("unsure", "look_up")
    assert after(lost, Done("CA1"), at(11)).carrier_id == "CA1"


def test_what_is_not_in_the_list_yet_is_looked_for_again_and_then_asked_for_again() -> None:
    lost = after(after(intent(), Asked(), NOW), AnswerLost(), at(10))
    too_early = after(lost, NothingFound(), at(10))
    assert (too_early.state, due(too_early, at(10)), due(too_early, at(15))) == ("unsure", None, "look_up")
    sure = at(10) + VISIBLE
    still = after(too_early, NothingFound(), sure - timedelta(milliseconds=1))
    assert (still.state, due(still, sure)) == ("unsure", "look_up")
    again = after(still, NothingFound(), sure)
    assert (again.state, due(again, sure)) == ("waiting", "ask")


def test_whoever_asked_and_is_gone_is_waited_for_and_then_looked_after() -> None:
    asking = after(intent(), Asked(), NOW)
    assert due(asking, NOW + LEASE - timedelta(milliseconds=1)) is None
    assert due(asking, NOW + LEASE) == "look_up"
    not_sure = after(asking, NothingFound(), NOW + LEASE)
    assert not_sure.state == "unsure"
    assert after(not_sure, NothingFound(), NOW + LEASE + VISIBLE).state == "waiting"


def test_a_refusal_costs_nothing_and_is_over() -> None:
    refused = after(after(intent(), Asked(), NOW), Refused("error 21211"), at(1))
    assert (refused.state, refused.reason, refused.cost_micro_usd, refused.over) == ("refused", "error 21211", 0, True)
    assert due(refused, at(1000)) is None


def test_a_call_that_comes_to_us_was_placed_whatever_was_thought_of_it() -> None:
    refused = after(intent(), Refused("expired"), at(1))
    proven = after(refused, Done("CA1"), at(2))
    assert (proven.state, proven.carrier_id, proven.reason) == ("done", "CA1", "")


def test_a_carrier_that_asks_for_patience_is_asked_later_unless_that_is_too_late() -> None:
    asking = after(intent(), Asked(), NOW)
    later = after(asking, Postponed(at(30)), at(1))
    assert (later.state, due(later, at(29)), due(later, at(30))) == ("waiting", None, "ask")
    assert after(asking, Postponed(at(600)), at(1)).reason == "expired"


def test_nobody_wants_a_call_that_comes_too_late() -> None:
    assert due(intent(), at(120)) == "expire"
    lost = after(after(intent(), Asked(), NOW), AnswerLost(), at(10))
    assert after(lost, NothingFound(), at(121)).reason == "expired"


def test_a_list_that_cannot_be_had_leaves_it_open_for_hours_but_not_for_ever() -> None:
    lost = after(after(intent(), Asked(), NOW), AnswerLost(), at(10))
    assert after(lost, LookUpFailed(), at(500)).state == "unsure"
    assert after(lost, LookUpFailed(), at(120) + GIVE_UP).reason == "unknown"


def test_what_cannot_happen_is_refused_as_a_mistake() -> None:
    with pytest.raises(ValueError, match="waiting takes no Ended"):
        after(intent(), Ended(1), NOW)


EVENTS = st.one_of(
    st.just(Asked()),
    st.sampled_from(["CA1", "CA2"]).map(Done),
    st.just(Refused("no")),
    st.integers(0, 300).map(lambda seconds: Postponed(at(seconds))),
    st.just(AnswerLost()),
    st.just(NothingFound()),
    st.just(LookUpFailed()),
    st.integers(0, 50).map(Ended),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 40))))
def test_between_two_requests_stands_a_proof_that_the_first_did_nothing(told: list[tuple[Event, int]]) -> None:
    """Two kinds of proof: the carrier's own word, or a look at its list when what it did would stand there.

    Whoever asks does so for less than the lease, or until it says that the answer is lost.
    """
    now, known = NOW, intent()
    asked_and_open, asked_until = False, NOW
    for event, seconds in told:
        now += timedelta(seconds=seconds)
        if not takes(known, event):
            continue
        before, known = known, after(known, event, now)
        match event:
            case Asked():
                assert not asked_and_open
                asked_and_open, asked_until = True, now + LEASE
            case AnswerLost():
                asked_until = now
            case Postponed():
                asked_and_open = False
            case NothingFound() if now >= asked_until + VISIBLE:
                asked_and_open = False
        if isinstance(event, NothingFound) and known.state == "waiting":
            assert known.asks < MOST_ASKS
        assert known.version == before.version + 1
        if before.carrier_id:
            assert known.carrier_id == before.carrier_id
        assert (known.state == "done") is bool(known.carrier_id)
        if known.state == "refused":
            assert known.over
            assert known.cost_micro_usd == 0
        if known.over:
            assert due(known, now + timedelta(days=1)) is None
        elif known.state not in {"done", "refused"}:
            assert due(known, known.due_at) is not None
