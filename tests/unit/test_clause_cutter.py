"""Where text is cut into clauses while it is being written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.agent.clauses import ClauseCutter, ClauseLimits

WRITTEN = st.text(st.sampled_from("abc de,. ?!;:-\u2014\n\"'()1389 and but Dr. e.g. ")) | st.text()


def cut(text: str, limits: ClauseLimits | None = None) -> list[str]:
    cutter = ClauseCutter(limits)
    return [*cutter.push(text), *cutter.flush()]


@given(WRITTEN)
def test_the_clauses_joined_are_the_text(text: str) -> None:
    assert "".join(cut(text)) == text


@given(WRITTEN, st.data())
def test_the_clauses_are_the_same_in_whatever_pieces_the_text_comes(text: str, data: st.DataObject) -> None:
    cutter, clauses, rest = ClauseCutter(), list[str](), text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        clauses += cutter.push(rest[:size])
        rest = rest[size:]
    assert [*clauses, *cutter.flush()] == cut(text)


@given(WRITTEN)
def test_no_clause_is_longer_than_the_limits(text: str) -> None:
    limits = ClauseLimits()
    first, *later = [len(clause) for clause in cut(text)] or [0]
    assert first <= limits.first_longest
    assert all(length <= limits.later_longest for length in later)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("It is nineteen dollars. Shall I show you?", ["It is nineteen dollars. ", "Shall I show you?"]),
        ("It works well! Really well\u2026 Or so?", ["It works well! ", "Really well\u2026 ", "Or so?"]),
        (
            "\u0939\u093e\u0901 \u0914\u0930 \u0928\u0939\u0940\u0902\u0964 Shall I show you?",
            ["\u0939\u093e\u0901 \u0914\u0930 \u0928\u0939\u0940\u0902\u0964 ", "Shall I show you?"],
        ),
        ('She said "it works." Then she left.', ['She said "it works." ', "Then she left."]),
        ("Yes. It is nineteen dollars.", ["Yes. It is nineteen dollars."]),
        ("First line here\nsecond line", ["First line here\n", "second line"]),
        ("It costs 3.5 dollars. Fine?", ["It costs 3.5 dollars. ", "Fine?"]),
        ("It costs 1,000 dollars a year, they say, and up", ["It costs 1,000 dollars a year, ", "they say, and up"]),
        ("Many tools, e.g. a calendar. Good?", ["Many tools, e.g. a calendar. ", "Good?"]),
        ("Ask Dr. Smith or Mrs. Jones. Bye now.", ["Ask Dr. Smith or Mrs. Jones. ", "Bye now."]),
        ("Ask John F. Kennedy about it. Bye now.", ["Ask John F. Kennedy about it. ", "Bye now."]),
        ("We open at 9 a.m. and close late. Good?", ["We open at 9 a.m. and close late. ", "Good?"]),
        ("1. Write the invoice. 2. Send it.", ["1. Write the invoice. ", "2. Send it."]),
        ("Look at example.com today. Good?", ["Look at example.com today. ", "Good?"]),
        (
            "Paper Kite sends your invoices, and chases late ones.",
            ["Paper Kite sends your invoices, ", "and chases late ones."],
        ),
        ("Well, we send your invoices.", ["Well, we send your invoices."]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_text_is_cut_where_a_speaker_would_breathe(text: str, clauses: list[str]) -> None:
    assert cut(text) == clauses


def test_later_clauses_keep_their_commas_until_they_get_long() -> None:
    later = "We write, send, and chase your invoices, and tell you about it."
    assert cut("It is quite simple. " + later) == ["It is quite simple. ", later]


def test_a_sentence_without_any_stop_is_cut_before_a_conjunction() -> None:
    first = "you write the invoice once in our little tool on your phone "
    second = "and we remind your customer until the money is there"
    assert cut(first + second) == [first, second]


def test_words_without_end_are_cut_between_words_and_a_word_without_end_anywhere() -> None:
    assert all(clause.endswith(" ") for clause in cut("word " * 100))
    assert [len(clause) for clause in cut("x" * 300)] == [90, 180, 30]


def test_a_clause_is_told_as_soon_as_its_last_space_is_there() -> None:
    cutter = ClauseCutter()
    assert cutter.push("It is nineteen dollars.") == []
    assert cutter.push(" ") == ["It is nineteen dollars. "]
    assert cutter.push("Shall I?") == []
    assert cutter.flush() == ["Shall I?"]
