"""Word error rate, and what an engine's confidence is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.asr.accuracy import (
    calibration_error,
    compared,
    mapping,
    plain_words,
    reliability,
    threshold,
)

WORDS = st.lists(st.sampled_from("abcd"), max_size=12)
JUDGED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("how much is it", "how much is it", (0, 0, 0)),
        ("how much is it", "how much it", (0, 1, 0)),
        ("how much is it", "so how much is it", (0, 0, 1)),
        ("how much is it", "how march is it", (1, 0, 0)),
        ("how much is it", "", (0, 4, 0)),
        ("", "thank you", (0, 0, 2)),
        ("book a demo please", "look at the demo", (2, 1, 1)),
    ],
)
def test_errors_are_counted_by_kind(said: str, heard: str, errors: tuple[int, int, int]) -> None:
    found = compared(said.split(), heard.split())
    assert found.total == sum(errors)
    if errors != (2, 1, 1):  # there are several ways of the same cost
        assert (found.wrong, found.missing, found.extra) == errors


def test_case_and_punctuation_are_no_errors() -> None:
    assert (
        plain_words("Well, I don't KNOW — it\N{RIGHT SINGLE QUOTATION MARK}s 49.50!")
        == "well i dont know its 49 50".split()
    )
    assert plain_words("मेरी पतंग।") == ["मेरी", "पतंग"]


@given(WORDS, WORDS)
def test_every_word_is_accounted_for(said: list[str], heard: list[str]) -> None:
    found = compared(said, heard)
    right = sum(found.right)
    assert right + found.wrong + found.missing == len(said) == found.said
    assert right + found.wrong + found.extra == len(heard) == len(found.right)
    assert abs(len(said) - len(heard)) <= found.total <= max(len(said), len(heard))


@given(WORDS)
def test_what_was_said_is_right(said: list[str]) -> None:
    found = compared(said, said)
    assert (found.total, found.right) == (0, [True] * len(said))


@given(JUDGED)
def test_bins_hold_all_words_and_the_mapping_never_falls(words: list[tuple[float, bool]]) -> None:
    bins = reliability(words)
    assert sum(found.words for found in bins) == len(words)
    assert all(found.low - 1e-9 <= found.confidence <= found.high + 1e-9 for found in bins)
    assert 0 <= calibration_error(bins) <= 1
    shares = [share for _, share in mapping(bins)]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    expected = sum(right for _, right in words)
    assert sum(share * found.words for share, found in zip(shares, bins, strict=True)) == pytest.approx(expected)


def test_a_confidence_that_tells_the_truth_has_no_error() -> None:
    honest = [(0.25, number % 4 == 0) for number in range(40)] + [(0.75, number % 4 != 0) for number in range(40)]
    assert calibration_error(reliability(honest)) == pytest.approx(0)
    assert calibration_error(reliability([(0.9, False)] * 10)) == pytest.approx(0.9)


def test_the_threshold_is_the_lowest_from_which_on_enough_is_right() -> None:
    words = [(0.9, True)] * 20 + [(0.6, True)] * 8 + [(0.6, False)] * 2 + [(0.3, False)] * 10
    assert threshold(words, 0.9) == 0.6
    assert threshold(words, 0.95) == 0.9
    assert threshold(words, 0.5) == 0.3
    assert threshold([(0.9, False)] * 20, 0.5) is None
    assert threshold([(0.9, True)] * 3, 0.9) is None
