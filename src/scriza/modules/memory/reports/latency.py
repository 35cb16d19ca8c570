"""Quantiles of times from counts in buckets that grow exponentially, so that sketches of many calls add up.

Bucket `i` holds times above g^(i-1) and up to g^i milliseconds, where g = (1 + e) / (1 - e). What is told for a bucket
is at most the share `e` away from each time in it. Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable
quantile sketch with relative-error guarantees", VLDB 2019.
"""

import math
from collections.abc import Mapping

ERROR = 0.025
"""The largest relative error of a quantile."""
LONGEST_MS = 3_600_000
"""What is longer counts as this."""
_GROWTH = (1 + ERROR) / (1 - ERROR)
_LOG_GROWTH = math.log(_GROWTH)
_ZERO = -1
"""The bucket of what took no time."""


def bucket(milliseconds: int) -> int:
    """The bucket of a time; 0 and less have one of their own."""
    if milliseconds <= 0:
        return _ZERO
    return math.ceil(math.log(min(milliseconds, LONGEST_MS)) / _LOG_GROWTH)


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """The time, in milliseconds, that this share of all is not above; None of nothing.

    It is the time of rank ceil(share * n), and at most `ERROR` and half a millisecond away from it.
    """
    if not counts:
        return None
    rank = max(1, math.ceil(share * sum(counts.values())))
    passed, reached = 0, _ZERO
    for reached in sorted(counts):
        passed += counts[reached]
        if passed >= rank:
            break
    return _time(reached)


def _time(number: int) -> int:
    """The time whose relative distance to both ends of the bucket is the same."""
    return 0 if number == _ZERO else round(2 * _GROWTH**number / (_GROWTH + 1))
