"""95 % confidence intervals for shares and means, and for the difference of two: pure.

- a share: Wilson's score interval (E. B. Wilson, JASA 22, 1927), which stays within 0 and 1 and is right also for few
  calls and for shares near the ends;
- the difference of two shares: Newcombe's method 10, from the two Wilson intervals (R. G. Newcombe, "Interval
  estimation for the difference between independent proportions", Statistics in Medicine 17, 1998);
- a mean, and the difference of two: Student's t, with the degrees of freedom of Welch and Satterthwaite for two samples
  of unequal variance (B. L. Welch, Biometrika 34, 1947).
"""

import math
from statistics import NormalDist

import msgspec

from scriza.ports.reports import Estimate

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class Sample(msgspec.Struct, frozen=True):
    """What is known of some values: how many, their sum, and the sum of their squares."""

    count: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """Of at least one value."""
        return self.total / self.count

    @property
    def variance(self) -> float:
        """The unbiased one, of at least two values."""
        return max(0.0, self.squares - self.total * self.mean) / (self.count - 1)


def share(hits: int, of: int) -> Estimate:
    """The share `hits / of` with Wilson's interval; `of` is at least 1."""
    value, shrink = hits / of, 1 + Z * Z / of
    middle = (value + Z * Z / (2 * of)) / shrink
    reach = Z * math.sqrt(value * (1 - value) / of + Z * Z / (4 * of * of)) / shrink
    # At the ends the formula gives exactly 0 and 1, which floating point misses by a hair.
    low = 0.0 if hits == 0 else middle - reach
    high = 1.0 if hits == of else middle + reach
    return Estimate(value, low, high)


def difference_of_shares(a: Estimate, b: Estimate) -> Estimate:
    """B - a of two shares, with Newcombe's interval."""
    value = b.value - a.value
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    return Estimate(value, low, high)


def mean(sample: Sample) -> Estimate:
    """The mean of at least two values."""
    reach = t_quantile(sample.count - 1) * math.sqrt(sample.variance / sample.count)
    return Estimate(sample.mean, sample.mean - reach, sample.mean + reach)


def difference_of_means(a: Sample, b: Sample) -> Estimate:
    """B - a of two means, each of at least two values."""
    of_a, of_b = a.variance / a.count, b.variance / b.count
    value, spread = b.mean - a.mean, of_a + of_b
    if spread == 0:
        return Estimate(value, value, value)
    freedom = spread * spread / (of_a * of_a / (a.count - 1) + of_b * of_b / (b.count - 1))
    reach = t_quantile(freedom) * math.sqrt(spread)
    return Estimate(value, value - reach, value + reach)


def t_quantile(freedom: float) -> float:
    """The two-sided quantile of Student's t at `LEVEL`, by its expansion in powers of 1/freedom.

    Abramowitz and Stegun, 26.7.5; it is off by less than 0.1 % from five degrees of freedom on.
    """
    z = Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
