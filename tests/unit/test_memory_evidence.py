"""What follows from what was said, and what does not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.memory.evidence import Kind, follows, quoted, typed, witness
from scriza.modules.memory.readings import dates, digits, numbers, times
from scriza.ports.memory import Value

MONDAY = date(2026, 3, 2)


# ---- quotes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "said", "found"),
    [
        ("priya sharma", "Hello, it's Priya Sharma.", "Priya Sharma"),
        ("PRIYA, SHARMA!", "hello it is priya sharma", "priya sharma"),
        ("we don't", "No, we don\u2019t.", "we don\u2019t"),
        ("caf\u00e9", "the CAFE\u0301 on the corner", "CAFE\u0301"),
    ],
)
def test_case_and_punctuation_do_not_matter_and_the_words_are_given_as_they_stand(
    quote: str, said: str, found: str
) -> None:
    assert quoted(quote, said) == found


@pytest.mark.parametrize(
    ("quote", "said"),
    [
        ("", "anything"),
        ("...", "anything"),
        ("sharma priya", "priya sharma"),
        ("priya sharma", "priya anita sharma"),
        ("pri", "priya"),
        ("\u0928\u092e", "\u0928\u092e\u0938\u094d\u0924\u0947"),
        ("priya", ""),
    ],
)
def test_what_was_not_said_in_these_words_is_no_quote(quote: str, said: str) -> None:
    assert quoted(quote, said) == ""


@given(st.text(), st.text())
def test_a_quote_is_always_a_part_of_what_was_said(quote: str, said: str) -> None:
    assert quoted(quote, said) in said


# ---- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "quote"),
    [
        (25, "int", "about twenty five people"),
        (250, "int", "two hundred and fifty"),
        (250_000, "int", "2.5 lakh"),
        (1200, "int", "1,200 dollars"),
        (24, "int", "two dozen"),
        (2, "int", "a couple of rooms"),
        (True, "bool", "yes, I decide"),
        (False, "bool", "no, my partner decides"),
        (False, "bool", "we haven't any"),
        (False, "bool", "\u0928\u0939\u0940\u0902 \u091c\u0940"),
        ("2026-03-03", "date", "tomorrow"),
        ("2026-03-04", "date", "the day after tomorrow"),
        ("2026-03-06", "date", "on Friday please"),
        ("2026-03-13", "date", "next friday"),
        ("2026-03-16", "date", "in two weeks"),
        ("2026-12-24", "date", "the twenty fourth of December"),
        ("2027-01-05", "date", "January 5th"),
        ("2026-05-04", "date", "04/05/2026"),
        ("17:00", "time", "at five pm"),
        ("17:30", "time", "half past five"),
        ("12:00", "time", "around noon"),
        ("+919876543210", "phone", "nine eight seven six five four three two one zero"),
        ("+914422778899", "phone", "double four double two double seven double eight double nine"),
        ("priya@example.com", "email", "priya at example dot com"),
        ("500", "money", "five hundred rupees"),
        ("three", "str", "three rooms"),
        ("3 rooms", "str", "three rooms"),
        ("basic_plan", "enum", "the Basic plan"),
    ],
)
def test_a_value_follows_from_words_that_can_mean_it(value: Value, kind: Kind, quote: str) -> None:
    assert follows(value, kind, quote, MONDAY)


@pytest.mark.parametrize(
    ("value", "kind", "quote"),
    [
        (26, "int", "twenty five"),
        (True, "int", "one"),
        (5, "int", "fifty"),
        ("x", "int", "x"),
        (True, "bool", "no"),
        (False, "bool", "yes"),
        ("yes", "bool", "yes"),
        ("2026-03-04", "date", "tomorrow"),
        ("2026-02-30", "date", "the 30th of february"),
        ("tomorrow", "date", "tomorrow"),
        ("18:00", "time", "at five pm"),
        ("+919876543211", "phone", "nine eight seven six five four three two one zero"),
        ("+919876543210", "phone", "three two one zero"),
        ("mallory@example.com", "email", "priya at example dot com"),
        ("@", "email", "at"),
        ("600", "money", "five hundred rupees"),
        ("a lot", "money", "a lot"),
        ("four rooms", "str", "three rooms"),
        ("pro", "enum", "the basic plan"),
    ],
)
def test_a_value_that_the_words_cannot_mean_does_not_follow(value: Value, kind: Kind, quote: str) -> None:
    assert not follows(value, kind, quote, MONDAY)


@given(st.integers(0, 999_999))
def test_a_number_in_figures_is_read_as_itself(number: int) -> None:
    assert number in numbers(f"we have {number:,} of them")
    assert number in numbers(f"we have {number} of them")


@given(st.text(max_size=200))
def test_whatever_is_said_is_read_without_a_fault(said: str) -> None:
    numbers(said)
    dates(said, MONDAY)
    times(said)
    digits(said)


def test_an_ambiguous_hour_may_be_either() -> None:
    assert times("five o'clock") == {"05:00", "17:00"}


# ---- what was learned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "said", "words"),
    [
        ("Priya", "str", "hi, this is priya", "priya"),
        ("2026-03-03", "date", "Tomorrow is fine. ", "Tomorrow is fine."),
        ("tomorrow at three", "date", "ok, tomorrow at three", "tomorrow at three"),
        ("true", "bool", "yes we do", "yes we do"),
        ("pro", "enum", "the big one", "the big one"),
        ("huge", "enum", "the big one", ""),
        ("12", "int", "my answer is pressed 1 2", "pressed 1 2"),
        ("13", "int", "pressed 1 2", ""),
        ("Mumbai", "str", "we are in Pune", ""),
        ("Mumbai", "str", "", ""),
    ],
)
def test_the_witness_of_what_was_learned_is_in_its_own_turn(value: str, kind: Kind, said: str, words: str) -> None:
    assert witness(value, kind, said, MONDAY, ["basic", "pro"]) == words


def test_what_was_learned_in_words_becomes_a_value_of_its_type() -> None:
    assert (typed("twenty five", "int", MONDAY), typed("five or six", "int", MONDAY)) == (25, None)
    assert (typed("Yes", "bool", MONDAY), typed("maybe", "bool", MONDAY)) == (True, None)
    assert (typed("on Friday at three", "date", MONDAY), typed("soon", "date", MONDAY)) == ("2026-03-06", None)
    assert typed("Priya", "str", MONDAY) == "Priya"


# ---- what is too long to be anything ------------------------------------------------------------------------------


LONG = "9" * 5000


@pytest.mark.parametrize("said", [LONG, "pressed " + "9" * 20, "nine " + "hundred " * 9, f"in {LONG} days"])
def test_a_row_of_figures_that_is_no_number_has_no_reading(said: str) -> None:
    """One that is longer than the store's numbers would keep the whole call from being worked over."""
    assert (numbers(said), dates(said, MONDAY), typed(said, "int", MONDAY)) == (set(), set(), None)


@pytest.mark.parametrize("value", ["--5", LONG, 10**30, "", "-"])
def test_what_a_model_calls_a_number_and_is_none_does_not_follow(value: Value) -> None:
    assert not follows(value, "int", "five", MONDAY)
