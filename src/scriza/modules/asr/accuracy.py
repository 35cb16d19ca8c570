"""How well an engine hears: words compared with what was said, and whether its confidence means anything.

Word error rate is the least number of words to be put right, over the words that were said (Levenshtein distance on
words). A confidence is calibrated when of the words with confidence p a share of p is right: Guo, Pleiss, Sun and
Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, whose expected calibration error this is. The
suggested mapping is isotonic regression by pooling adjacent violators: Zadrozny and Elkan, KDD 2002.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_BINS = 5
_FEWEST = 10
"""Words of a bin, and of those above a threshold, below which a share says nothing."""


class Errors(NamedTuple):
    """What has to be put right in what was heard, and which of the heard words are right."""

    said: int
    wrong: int
    missing: int
    extra: int
    right: list[bool]
    """One for each heard word."""

    @property
    def total(self) -> int:
        """Words to be put right."""
        return self.wrong + self.missing + self.extra


class Bin(NamedTuple):
    """Words whose confidence lies from `low` to `high`, both of 0 to 1."""

    low: float
    high: float
    words: int
    confidence: float
    """Mean of the words'."""
    right: float
    """Share of the words."""


def plain_words(text: str) -> list[str]:
    """Words as they are compared: no case, no punctuation. Numbers are words as they are written."""
    return "".join(_kept(character) for character in text.casefold()).split()


def _kept(character: str) -> str:
    """Letters with the marks that belong to them, and digits; an apostrophe does not part a word."""
    if unicodedata.category(character)[0] in "LMN":
        return character
    return "" if character in _APOSTROPHES else " "


def compared(said: Sequence[str], heard: Sequence[str]) -> Errors:
    """The cheapest way from `heard` to `said`, by plain words; of equally cheap ones, that which keeps most."""
    table = _distances(said, heard)
    wrong = missing = extra = 0
    right = [False] * len(heard)
    row, column = len(said), len(heard)
    while row or column:
        here = table[row][column]
        if row and column and said[row - 1] == heard[column - 1] and here == table[row - 1][column - 1]:
            row, column = row - 1, column - 1
            right[column] = True
        elif row and column and here == table[row - 1][column - 1] + 1:
            row, column, wrong = row - 1, column - 1, wrong + 1
        elif row and here == table[row - 1][column] + 1:
            row, missing = row - 1, missing + 1
        else:
            column, extra = column - 1, extra + 1
    return Errors(len(said), wrong, missing, extra, right)


def _distances(said: Sequence[str], heard: Sequence[str]) -> list[list[int]]:
    table = [list(range(len(heard) + 1))]
    for row, word in enumerate(said, 1):
        before, now = table[-1], [row]
        for column, other in enumerate(heard, 1):
            now.append(min(before[column - 1] + (word != other), before[column] + 1, now[-1] + 1))
        table.append(now)
    return table


def reliability(words: Iterable[tuple[float, bool]]) -> list[Bin]:
    """Words with their confidence, and whether they are right, in five bins of equal width; empty ones are left out."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for confidence, right in words:
        bins[min(_BINS - 1, int(confidence * _BINS))].append((confidence, right))
    return [
        Bin(
            number / _BINS,
            (number + 1) / _BINS,
            len(found),
            sum(confidence for confidence, _ in found) / len(found),
            sum(right for _, right in found) / len(found),
        )
        for number, found in enumerate(bins)
        if found
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """How far confidence and truth are apart on average, 0 to 1."""
    words = sum(found.words for found in bins)
    return sum(found.words * abs(found.confidence - found.right) for found in bins) / words if words else 0.0


def mapping(bins: Sequence[Bin]) -> list[tuple[float, float]]:
    """What each bin's mean confidence is worth: never less than a lower one's."""
    pooled: list[tuple[float, int, int]] = []
    """Share that is right, words, and bins that share it."""
    for found in bins:
        pooled.append((found.right, found.words, 1))
        while len(pooled) > 1 and pooled[-2][0] > pooled[-1][0]:
            (share, words, joined), (other_share, other_words, other_joined) = pooled[-2:]
            total = words + other_words
            pooled[-2:] = [((share * words + other_share * other_words) / total, total, joined + other_joined)]
    shares = [share for share, _, joined in pooled for _ in range(joined)]
    return [(found.confidence, share) for found, share in zip(bins, shares, strict=True)]


def threshold(words: Iterable[tuple[float, bool]], wanted: float) -> float | None:
    """The lowest confidence from which on a share of `wanted` is right; none when there is not enough of that."""
    best: float | None = None
    right = 0
    ordered = sorted(words, reverse=True)
    for count, (confidence, is_right) in enumerate(ordered, 1):
        right += is_right
        last_of_its_kind = count == len(ordered) or ordered[count][0] < confidence
        if last_of_its_kind and count >= _FEWEST and right >= wanted * count:
            best = confidence
    return best
