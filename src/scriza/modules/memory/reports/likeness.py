"""Puts utterances together that mean much the same, by the words that they share. Pure, and the same each time.

Each is the set of its telling words, cut to their stems, as a vector of length 1. It joins the group whose middle is
nearest by the cosine, or begins one of its own: leader clustering (Hartigan, "Clustering Algorithms", 1975, chapter 3),
in one pass from the longest to the shortest. Stems are the first letters of words, which serves European languages
about as well as real stemmers (McNamee, Mayfield, "Character n-gram tokenization for European language text
retrieval", Information Retrieval 7, 2004).
"""

import math
import re
from collections import defaultdict
from collections.abc import Sequence

from scriza.modules.memory.reports.books import Unanswerable

ALIKE = 0.5
"""The least cosine by which an utterance belongs to a group."""

_WORD = re.compile(r"[^\s.,;:!?…।\"“”()¿¡-]+")
_APOSTROPHE = "\u2019"
_FILLERS = frozenset(
    "a an the and or but so um uh er well okay ok yeah yes no please just like i i'm im me my you your we it its it's"
    " is are was be do does did don't can could would will have has had to of in on at for with that this there any"
    " what's what how know tell want".split()
)
_ENDINGS = ("ing", "ed", "es", "s", "e")
_SHORTEST_STEM, _LONGEST_STEM = 3, 6

Vector = dict[str, float]


class _Group:
    """Utterances, and the sum of their vectors with the square of its length."""

    def __init__(self) -> None:
        self.members: list[int] = []
        self._sum: Vector = {}
        self._square = 0.0

    def add(self, number: int, vector: Vector) -> None:
        self._square += 2 * self._product(vector) + 1
        for word, weight in vector.items():
            self._sum[word] = self._sum.get(word, 0.0) + weight
        self.members.append(number)

    def cosine(self, vector: Vector) -> float:
        return round(self._product(vector) / math.sqrt(self._square), 9)

    def _product(self, vector: Vector) -> float:
        return sum(weight * self._sum.get(word, 0.0) for word, weight in vector.items())


def groups(said: Sequence[Unanswerable]) -> list[list[Unanswerable]]:
    """The largest group first; in a group the most typical utterance first, and of those alike the first given."""
    vectors = [_vector(each.words) for each in said]
    found: list[_Group] = []
    holding: dict[str, set[int]] = defaultdict(set)
    for number in sorted(range(len(said)), key=lambda number: (-len(vectors[number]), said[number].words, number)):
        vector = vectors[number]
        near = sorted({group for word in vector for group in holding[word]})
        best = max(near, key=lambda group: found[group].cosine(vector), default=-1)
        if best < 0 or found[best].cosine(vector) < ALIKE:
            best = len(found)
            found.append(_Group())
        found[best].add(number, vector)
        for word in vector:
            holding[word].add(best)
    ordered = [_typical_first(group, vectors) for group in found]
    return [[said[number] for number in group] for group in sorted(ordered, key=lambda group: (-len(group), group[0]))]


def _typical_first(group: _Group, vectors: Sequence[Vector]) -> list[int]:
    return sorted(group.members, key=lambda number: (-group.cosine(vectors[number]), number))


def _words(text: str) -> set[str]:
    words = [word.replace(_APOSTROPHE, "'") for word in _WORD.findall(text.casefold())]
    return {_stem(word) for word in words if word not in _FILLERS} or set(words)


def _stem(word: str) -> str:
    """The first letters, without the endings that English words take."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word.removesuffix(ending)
            break
    return word[:_LONGEST_STEM]


def _vector(text: str) -> Vector:
    words = sorted(_words(text))
    return dict.fromkeys(words, 1 / math.sqrt(len(words))) if words else {}
