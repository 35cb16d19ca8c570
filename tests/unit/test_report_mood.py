"""The mood of words: the same for the same words, and what it can be expected to know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.memory.reports.mood import languages, mood

LANGUAGES = sorted(languages())


def test_it_knows_five_languages() -> None:
    assert LANGUAGES == ["de", "en", "es", "fr", "hi"]


@pytest.mark.parametrize(
    ("language", "glad", "cross"),
    [
        ("en-IN", "that sounds good, thank you", "stop calling me, this is a waste of time"),
        ("hi-IN", "बहुत अच्छा, धन्यवाद", "यह बकवास है"),
        ("hi-IN", "haan, bahut badhiya", "ye bilkul bekar hai"),
        ("es-MX", "Muy bien, me interesa", "Es una estafa, deje de llamar"),
        ("de-DE", "Das ist sehr gut, danke", "Das ist eine Frechheit"),
        ("fr-FR", "Très bien, merci", "C\u2019est une arnaque"),
    ],
)
def test_glad_words_are_above_and_cross_ones_below_nothing(language: str, glad: str, cross: str) -> None:
    better, worse = mood(glad, language), mood(cross, language)
    assert better is not None
    assert worse is not None
    assert worse < -0.2 < 0.2 < better


@pytest.mark.parametrize("words", ["what is the price", "Tuesday at four", "we have forty people"])
def test_words_without_a_mood_are_neutral(words: str) -> None:
    assert mood(words, "en") == 0


def score(words: str) -> float:
    found = mood(words, "en")
    assert found is not None
    return found


def test_not_turns_round_what_follows_but_not_beyond_a_break() -> None:
    assert score("I am not happy") < 0 < score("I am happy")
    assert score("that is not bad") > 0 > score("that is bad")
    assert score("no, that is fine") > 0
    assert abs(score("not happy")) < score("happy")


def test_words_of_degree_make_it_stronger_or_weaker() -> None:
    assert score("a bit expensive") > score("expensive") > score("very expensive")


def test_the_longer_phrase_counts() -> None:
    assert score("no thanks") < 0 < score("thanks")


def test_a_typographic_apostrophe_is_one() -> None:
    assert mood("I don\u2019t like it", "en") == mood("I don't like it", "en")


@pytest.mark.parametrize("words", ["", "   ", "...", "?!"])
def test_nothing_said_has_no_mood(words: str) -> None:
    assert mood(words, "en") is None


def test_a_language_without_a_lexicon_has_no_mood_rather_than_a_neutral_one() -> None:
    assert mood("素晴らしい", "ja-JP") is None
    assert mood("great", "") is None


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_it_is_bounded_and_does_not_change(words: str, language: str) -> None:
    found = mood(words, language)
    assert found is None or -1 < found < 1
    assert mood(words, language) == found
