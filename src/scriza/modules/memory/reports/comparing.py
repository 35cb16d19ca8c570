"""Two versions side by side, with what chance may have made of the difference. Pure.

Each call is one observation, since the turns of a call are not independent of each other.
"""

from scriza.modules.memory.reports.figures import Figures
from scriza.modules.memory.reports.intervals import Sample, difference_of_means, difference_of_shares, mean, share
from scriza.ports.reports import ComparisonRow, Estimate, Side, Verdict

ENOUGH = 30
"""Ended calls that each side needs."""

_SHARES = ("won", "interrupted", "fell_silent", "something_unanswered", "objected")
_MEANS: dict[str, float] = {"talk_seconds": 1, "turns": 1, "sentiment": 1000, "latency_ms": 1, "tokens": 1}
"""Measures by which calls are sampled, and in how many parts of their unit."""


def compare(a: Figures, b: Figures) -> list[ComparisonRow]:
    """Every measure, of ended calls."""
    shares = [_shares(name, a.hits.get(name, 0), a.ended, b.hits.get(name, 0), b.ended) for name in _SHARES]
    means = [_means(name, _sample(a, name, parts), _sample(b, name, parts)) for name, parts in _MEANS.items()]
    return shares + means


def _shares(measure: str, hits_a: int, of_a: int, hits_b: int, of_b: int) -> ComparisonRow:
    a = share(hits_a, of_a) if of_a else None
    b = share(hits_b, of_b) if of_b else None
    difference = difference_of_shares(a, b) if a and b else None
    return _row(measure, Side(of_a, _rounded(a)), Side(of_b, _rounded(b)), difference, is_share=True)


def _means(measure: str, a: Sample, b: Sample) -> ComparisonRow:
    side_a, side_b = (Side(of.count, _rounded(mean(of)) if of.count > 1 else None) for of in (a, b))
    difference = difference_of_means(a, b) if a.count > 1 and b.count > 1 else None
    return _row(measure, side_a, side_b, difference, is_share=False)


def _row(measure: str, a: Side, b: Side, difference: Estimate | None, *, is_share: bool) -> ComparisonRow:
    enough = difference is not None and min(a.calls, b.calls) >= ENOUGH
    verdict = _verdict(difference) if difference is not None and enough else "not enough calls"
    return ComparisonRow(measure, "share" if is_share else "mean", a, b, _rounded(difference), verdict)


def _verdict(difference: Estimate) -> Verdict:
    if difference.low > 0:
        return "higher"
    return "lower" if difference.high < 0 else "no clear difference"


def _sample(figures: Figures, measure: str, parts: float) -> Sample:
    count, total, squares = (values.get(measure, 0) for values in (figures.samples, figures.sums, figures.squares))
    return Sample(count, total / parts, squares / parts**2)


def _rounded(estimate: Estimate | None) -> Estimate | None:
    return estimate and Estimate(*(round(value, 4) for value in (estimate.value, estimate.low, estimate.high)))
