"""Sent is not heard."""

from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.telephony.playout import Ledger
from tests.unit.call_rig import word_times

TEXT = "one two three four five"


def ledger() -> Ledger:
    kept = Ledger()
    kept.play(1, turn=7, text=TEXT)
    kept.timed(1, word_times(TEXT))
    return kept


def test_nothing_is_heard_before_a_mark_echoes() -> None:
    kept = ledger()
    kept.sent("a", 1, 1_000, last=True)
    assert kept.heard(7) == ""
    assert not kept.finished


def test_a_word_is_heard_when_it_has_sounded_in_full() -> None:
    kept = ledger()
    kept.sent("a", 1, 599, last=False)
    kept.echoed("a")
    assert kept.heard(7) == "one two"


def test_the_last_mark_proves_the_whole_clip() -> None:
    kept = ledger()
    kept.sent("a", 1, 1_000, last=True)
    kept.echoed("a")
    assert kept.heard(7) == TEXT
    assert kept.finished


def test_a_mark_that_echoes_after_our_own_clear_proves_nothing() -> None:
    kept = ledger()
    kept.sent("a", 1, 400, last=False)
    kept.sent("b", 1, 1_000, last=True)
    kept.echoed("a")
    kept.cleared()
    assert not kept.echoed("b")
    assert kept.heard(7) == "one two"
    assert kept.finished


def test_a_mark_we_never_sent_proves_nothing() -> None:
    kept = ledger()
    assert not kept.echoed("forged")
    assert kept.heard(7) == ""


def test_clips_of_a_turn_are_joined_and_other_turns_are_not() -> None:
    kept = ledger()
    kept.play(2, turn=7, text="six")
    kept.play(3, turn=8, text="seven")
    for number in (1, 2, 3):
        kept.sent(str(number), number, 1_000, last=True)
        kept.echoed(str(number))
    assert kept.heard(7) == f"{TEXT} six"
    assert kept.heard(8) == "seven"


def test_a_clip_without_word_times_is_heard_whole_or_not_at_all() -> None:
    kept = Ledger()
    kept.play(1, turn=1, text=TEXT)
    kept.sent("a", 1, 500, last=False)
    kept.echoed("a")
    assert kept.heard(1) == ""
    kept.sent("b", 1, 1_000, last=True)
    kept.echoed("b")
    assert kept.heard(1) == TEXT


def test_a_clip_that_broke_off_is_finished_when_what_was_sent_has_been_heard() -> None:
    kept = ledger()
    kept.sent("a", 1, 400, last=False)
    kept.failed(1)
    assert not kept.finished
    kept.echoed("a")
    assert kept.finished
    assert kept.heard(7) == "one two"


def test_overdue_marks_are_taken_as_echoed() -> None:
    kept = ledger()
    kept.sent("a", 1, 1_000, last=True)
    kept.assume_heard()
    assert kept.finished


@given(st.lists(st.tuples(st.integers(0, 1_200), st.booleans()), max_size=12))
def test_what_was_heard_only_grows_and_is_a_prefix_of_the_text(
    marks: list[tuple[int, bool]],
) -> None:
    kept = ledger()
    for number, (until_ms, _) in enumerate(sorted(marks)):
        kept.sent(str(number), 1, until_ms, last=False)
    before = ""
    for number, (_, echoes) in enumerate(sorted(marks)):
        if echoes:
            kept.echoed(str(number))
        heard = kept.heard(7)
        assert TEXT.startswith(heard)
        assert heard.startswith(before)
        before = heard
