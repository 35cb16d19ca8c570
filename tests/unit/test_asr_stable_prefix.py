"""Partials by local agreement: what is told stays told, and nothing is told that one recognition alone has heard."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.asr.stable_prefix import StablePrefix
from scriza.ports.asr import HeardWord

WORDS = st.sampled_from(["yes", "Yes,", "no", "price", "prices", "the"])
HYPOTHESES = st.lists(st.lists(WORDS, max_size=6), max_size=8)


def heard(words: list[str], shift: float = 0.0) -> list[HeardWord]:
    return [HeardWord(word, number + shift, number + shift + 0.5, 0.9) for number, word in enumerate(words)]


def plain(words: list[str]) -> list[str]:
    return [word.casefold().strip(",") for word in words]


def told(hypotheses: list[list[str]]) -> list[list[str]]:
    prefix = StablePrefix()
    return [[word.word for word in prefix.push(heard(words))] for words in hypotheses]


@given(HYPOTHESES)
def test_what_was_told_stays_told(hypotheses: list[list[str]]) -> None:
    stages = told(hypotheses)
    for earlier, later in pairwise(stages):
        assert plain(later[: len(earlier)]) == plain(earlier)


@given(HYPOTHESES)
def test_every_told_word_was_heard_twice_in_a_row_at_its_place(hypotheses: list[list[str]]) -> None:
    heard_twice: set[tuple[int, str]] = set()
    prefix, before = StablePrefix(), list[str]()
    for words in hypotheses:
        agreed = zip(plain(words), plain(before), strict=False)
        heard_twice |= {(place, word) for place, (word, other) in enumerate(agreed) if word == other}
        assert set(enumerate(plain([word.word for word in prefix.push(heard(words))]))) <= heard_twice
        before = words


@given(st.lists(WORDS, max_size=6))
def test_two_recognitions_that_agree_are_told_in_full(words: list[str]) -> None:
    assert told([words, words])[-1] == words


@given(HYPOTHESES)
def test_a_first_recognition_tells_nothing(hypotheses: list[list[str]]) -> None:
    assert told(hypotheses)[:1] in ([], [[]])


def test_the_later_recognition_gives_spelling_and_times() -> None:
    prefix = StablePrefix()
    prefix.push(heard(["yes", "price"]))
    assert prefix.push(heard(["Yes,", "prices"], shift=0.1)) == heard(["Yes,"], shift=0.1)


def test_a_vowel_sign_makes_another_word() -> None:
    assert told([["मेरी", "पतंग"], ["मेरा", "पतंग"]])[-1] == []
    assert told([["मेरी", "पतंग"], ["मेरी", "पतंग।"]])[-1] == ["मेरी", "पतंग।"]


def test_a_recognition_that_forgets_the_beginning_changes_nothing() -> None:
    assert told([["yes", "the", "price"], ["yes", "the"], [], ["no"], ["no", "the"]])[-1] == ["yes", "the"]
