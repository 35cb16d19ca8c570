"""Quantiles from buckets are near those of the times themselves."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.memory.reports.latency import ERROR, LONGEST_MS, bucket, quantile


def exact(times: list[int], share: float) -> int:
    return sorted(times)[max(1, math.ceil(share * len(times))) - 1]


times = st.integers(0, LONGEST_MS)


@given(st.lists(times, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_as_near_as_it_says(milliseconds: list[int], share: float) -> None:
    found, right = quantile(Counter(map(bucket, milliseconds)), share), exact(milliseconds, share)
    assert found is not None
    assert abs(found - right) <= ERROR * right + 0.5


@given(st.lists(times), st.lists(times))
def test_counts_of_two_add_up_to_those_of_both(some: list[int], more: list[int]) -> None:
    apart = Counter(map(bucket, some)) + Counter(map(bucket, more))
    assert apart == Counter(map(bucket, some + more))


@given(times, times)
def test_longer_times_are_in_later_buckets(one: int, other: int) -> None:
    assert (one <= other) == (bucket(one) <= bucket(other)) or bucket(one) == bucket(other)


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_what_takes_longer_than_an_hour_counts_as_an_hour() -> None:
    assert bucket(10 * LONGEST_MS) == bucket(LONGEST_MS)
    assert bucket(-5) == bucket(0)
    assert quantile({bucket(0): 3}, 0.95) == 0


def test_an_hour_needs_few_buckets() -> None:
    assert bucket(LONGEST_MS) < 320
