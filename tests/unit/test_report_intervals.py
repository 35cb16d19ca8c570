"""Confidence intervals, against the values that their authors have published."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scriza.modules.memory.reports.intervals import (
    Sample,
    difference_of_means,
    difference_of_shares,
    mean,
    share,
    t_quantile,
)
from scriza.ports.reports import Estimate


def sample(*values: float) -> Sample:
    return Sample(len(values), sum(values), sum(value * value for value in values))


def rounded(estimate: Estimate, digits: int = 4) -> tuple[float, float]:
    return round(estimate.low, digits), round(estimate.high, digits)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(hits: int, of: int, low: float, high: float) -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    assert rounded(share(hits, of)) == (low, high)


@pytest.mark.parametrize(
    ("b", "a", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_a_difference_of_shares_has_newcombes_interval(
    b: tuple[int, int], a: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe, "Interval estimation for the difference between independent proportions", 1998, table II, method 10."""
    assert rounded(difference_of_shares(share(*a), share(*b))) == (low, high)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(5, 2.571), (10, 2.228), (20, 2.086), (29, 2.045), (60, 2.000), (120, 1.980), (1e9, 1.960)],
)
def test_students_quantile_is_that_of_the_tables(freedom: float, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, abs=0.001)


def test_a_mean_has_students_interval() -> None:
    found = mean(sample(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
    assert found.value == 5.5
    assert found.high - found.value == pytest.approx(2.2622 * 3.02765 / math.sqrt(10), abs=0.001)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_a_difference_of_means_has_welchs_interval() -> None:
    """Student's sleep data of 1908, of which R's `t.test(extra ~ group)` says 17.776 degrees of freedom."""
    a = sample(0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
    b = sample(1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
    found = difference_of_means(a, b)
    assert found.value == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((-0.2054832, 3.3654832), abs=1e-4)


def test_values_that_do_not_vary_leave_no_doubt() -> None:
    assert difference_of_means(sample(2, 2, 2), sample(5, 5)) == Estimate(3, 3, 3)


counts = st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(counts, counts)
def test_intervals_of_shares_hold_their_value_and_are_mirrored(a: tuple[int, int], b: tuple[int, int]) -> None:
    one, other = share(*a), share(*b)
    assert 0 <= one.low <= one.value <= one.high <= 1
    there, back = difference_of_shares(one, other), difference_of_shares(other, one)
    assert -1 - 1e-9 <= there.low <= there.value <= there.high <= 1 + 1e-9
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


@given(counts)
def test_more_calls_make_a_share_surer(hits: tuple[int, int]) -> None:
    few, many = share(*hits), share(hits[0] * 4, hits[1] * 4)
    assume(0 < hits[0] < hits[1])
    assert many.high - many.low < few.high - few.low
