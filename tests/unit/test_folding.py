"""From journal lines to turns, in whatever order the lines are read."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.telephony.call_log import Entry
from scriza.modules.telephony.folding import Kind, fold, progress
from scriza.ports.agent import Conversation
from scriza.ports.telephony import TurnRecord

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def line(turn: int, kind: Kind, text: str, *, stage: str = "", conversation: Conversation | None = None) -> Entry:
    return Entry("CA1", turn, kind, text, stage, NOW, 0.7 if kind == "user" else 1.0, 0, conversation)


CALL = [
    line(0, "reply", "Hello, this is Scrappy", stage="opening", conversation=Conversation("p:1", "opening")),
    line(0, "heard", "Hello", stage="opening"),
    line(1, "user", "I'm busy", stage="opening"),
    line(1, "reply", "No problem", stage="objection", conversation=Conversation("p:1", "objection")),
    line(2, "user", "but what", stage="objection"),
]


@given(st.permutations(CALL))
def test_the_order_in_which_lines_are_read_does_not_matter(lines: list[Entry]) -> None:
    assert fold(lines) == [
        TurnRecord("", "Hello", "opening", 1.0),
        TurnRecord("I'm busy", "No problem", "objection", 0.7),
        TurnRecord("but what", "", "objection", 0.7),
    ]
    on = progress(lines)
    assert (on.next_turn, on.unanswered) == (2, "but what")
    assert on.conversation == Conversation("p:1", "objection")


def test_an_answer_that_was_not_heard_at_all_is_empty_and_not_what_was_generated() -> None:
    assert fold([line(1, "user", "hi"), line(1, "reply", "Hello"), line(1, "heard", "")])[0].agent == ""


def test_a_call_without_lines_begins_at_turn_0() -> None:
    on = progress([])
    assert (fold([]), on.next_turn, on.conversation, on.unanswered) == ([], 0, None, "")


def test_an_answered_utterance_is_not_unanswered() -> None:
    assert progress(CALL[:4]).unanswered == ""


def test_an_utterance_whose_answer_nobody_heard_is_unanswered_with_those_before_it() -> None:
    not_heard = [line(2, "reply", "Ten dollars"), line(2, "heard", "")]
    assert progress([*CALL, *not_heard]).unanswered == "but what"
    assert progress([*CALL, *not_heard]).next_turn == 3
    assert progress([*CALL, *not_heard, line(3, "user", "does it cost")]).unanswered == "but what does it cost"


def test_an_utterance_of_whose_answer_something_was_heard_is_not_unanswered() -> None:
    assert progress([*CALL, line(2, "reply", "Ten dollars"), line(2, "heard", "Ten")]).unanswered == ""


def test_what_was_said_unasked_leaves_nothing_unanswered() -> None:
    assert progress([line(0, "reply", "Hello"), line(0, "heard", "")]).unanswered == ""


def test_an_answer_that_was_an_act_without_words_is_one() -> None:
    assert progress([*CALL, line(2, "reply", "")]).unanswered == ""
