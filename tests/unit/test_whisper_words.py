"""Words with times and confidence out of tokens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza_adapters.whisper.guards import Said
from scriza_adapters.whisper.hints import NO_HINTS, hints
from scriza_adapters.whisper.words import (
    TokenizedWord,
    confidence,
    heard_words,
    mean_logprob,
    spread,
    transcript,
    whole_words,
)

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def word(text: str, start: float, end: float, *probabilities: float) -> TokenizedWord:
    return TokenizedWord(text, probabilities or (0.9,), start, end)


@given(PROBABILITIES)
def test_a_confidence_lies_between_the_least_and_the_most_certain_token(probabilities: list[float]) -> None:
    assert round(max(1e-6, min(probabilities)), 3) - 0.001 <= confidence(probabilities) <= max(probabilities) + 0.001


@given(PROBABILITIES)
def test_it_is_the_geometric_mean(probabilities: list[float]) -> None:
    assert confidence(probabilities) == pytest.approx(math.exp(mean_logprob(probabilities)), abs=0.001)


def test_words_lie_where_the_model_found_them() -> None:
    heard = heard_words(
        [word(" Book", 0.3, 0.5, 0.8), word(" a", 0.5, 0.56), word(" demo.", 0.56, 1.2, 0.25, 1.0)], 1.5
    )
    assert [(w.word, w.start, w.end, w.confidence) for w in heard] == [
        ("Book", 0.3, 0.5, 0.8),
        ("a", 0.5, 0.56, 0.9),
        ("demo.", 0.56, 1.2, 0.5),
    ]


def test_what_stands_behind_a_mark_without_a_space_is_the_same_word_and_a_mark_does_not_last() -> None:
    pieces = [word(" $4", 0.0, 0.5), word(".50", 0.5, 1.0), word(",", 1.0, 1.8), word(" please", 1.8, 2.2)]
    assert [(w.text, w.start, w.end) for w in whole_words(pieces)] == [(" $4.50,", 0.0, 1.0), (" please", 1.8, 2.2)]


def test_words_without_spaces_between_stay_apart_and_are_written_without() -> None:
    words = whole_words([word("は", 0, 0.2), word("い", 0.2, 0.4), word("。", 0.4, 0.9)])
    heard = transcript(words, Said("はい。", -0.3, 0.0), NO_HINTS, 1.0)
    assert (heard.text, [w.word for w in heard.words]) == ("はい。", ["は", "い。"])


def test_words_that_the_model_found_no_place_for_are_spread_over_the_audio() -> None:
    heard = heard_words([word(" no", 0.0, 0.0), word(" thanks", 0.0, 0.0)], 1.0)
    assert [(w.start, w.end) for w in heard] == [(0.0, 0.3), (0.3, 1.0)]


@given(
    st.lists(st.tuples(st.sampled_from([" a", " be", " ", ""]), st.floats(-1, 9), st.floats(-1, 9)), max_size=8),
    st.floats(0.1, 5),
)
def test_times_never_go_back_and_never_leave_the_audio(places: list[tuple[str, float, float]], seconds: float) -> None:
    heard = heard_words([word(text, start, end) for text, start, end in places], seconds)
    times = [time for w in heard for time in (w.start, w.end)]
    assert times == sorted(times)
    assert all(0 <= time <= seconds + 0.001 for time in times)


@given(st.lists(st.sampled_from(["a", "bé", "c."]), max_size=20), st.floats(0, 600), st.floats(0, 30))
def test_spread_words_fill_their_time_in_order(texts: list[str], start: float, length: float) -> None:
    words = spread(texts, start, start + length, [0.5] * len(texts))
    assert [word.word for word in words] == texts
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(start - 0.001 <= time <= start + length + 0.001 for time in times)


def test_a_text_that_goes_round_ends_where_it_has_gone_round_once() -> None:
    looped = [
        word(f" {text}", number, number + 1) for number, text in enumerate("i see to me to me to me to me".split())
    ]
    text = "".join(w.text for w in looped)
    assert transcript(looped, Said(text, -0.3, 0.0), NO_HINTS, 10.0).text == "i see to me"


def test_what_is_not_believed_is_no_words() -> None:
    heard = transcript([word(" Music", 0, 1)], Said(" Music", -0.3, 0.0), NO_HINTS, 1.0)
    assert (heard.text, heard.confidence, heard.words) == ("", 0.0, [])


def test_hot_words_come_first_and_as_many_as_fit() -> None:
    told = hints(["Paper Kite", "Sunny", *(f"phrase number {number}" for number in range(100))], "")
    assert told.words.startswith("Paper Kite, Sunny, phrase number 0")
    assert len(told.words) <= 300
    assert not told.words.endswith(",")


def test_the_end_of_a_long_prompt_is_kept_and_begins_with_a_whole_word() -> None:
    told = hints([], "beginning " * 40 + "the end")
    assert told.prompt.endswith("the end")
    assert told.prompt.split()[0] == "beginning"
    assert hints([], " short ") == ("", "short")
