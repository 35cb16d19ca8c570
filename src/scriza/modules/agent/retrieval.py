"""Finding what a playbook says about the caller's words, among hundreds of records and without a model.

Scores are BM25F (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009): BM25 with the
words of each field counted as often as the field weighs.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

import msgspec

from scriza.modules.agent.matching import FILLERS, words

_K1 = 1.2
_B = 0.75
_WORTH = 0.4
"""Of the best one's score: what has less is not about the same."""
_COMMON = FILLERS | frozenset(
    "your yours you we us our ours he she they them their this these those there here what which who how when where "
    "why am are was were be been do does did have has had can could would will shall should may might must not no yes "
    "for with from in on at by about as if but or than then too very more some any all one get got go let".split()
)
"""Words that say nothing about what a text is about. English, as the endings are."""
_ENDINGS = ("ings", "ing", "ed", "es", "s")
_SHORTEST_STEM = 4


class Document(msgspec.Struct, frozen=True):
    """Something to be found: a key, and fields with how much each of their words weighs."""

    key: str
    fields: Sequence[tuple[str, float]]


class Retriever(Protocol):
    """Finds documents; built once for a playbook."""

    def best(self, query: str, most: int) -> list[str]:
        """Keys of the documents that fit the query best, the best first; none that has nothing to do with it."""
        ...


class Bm25:
    """A `Retriever` by the words of the documents."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._keys = [document.key for document in documents]
        counted = [_weighed(document) for document in documents]
        lengths = [sum(weights.values()) for weights in counted]
        average = sum(lengths) / len(lengths) if lengths else 1.0
        found = Counter(term for weights in counted for term in weights)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, (weights, length) in enumerate(zip(counted, lengths, strict=True)):
            norm = _K1 * (1 - _B + _B * length / average)
            for term, weight in weights.items():
                rarity = math.log(1 + (len(documents) - found[term] + 0.5) / (found[term] + 0.5))
                self._postings[term].append((place, rarity * weight * (_K1 + 1) / (weight + norm)))

    def best(self, query: str, most: int) -> list[str]:
        """As the protocol says; of equals, the earlier document goes first."""
        scores: dict[int, float] = defaultdict(float)
        for term in set(_terms(query)):
            for place, score in self._postings.get(term, ()):
                scores[place] += score
        ranked = sorted(scores, key=lambda place: (-scores[place], place))[:most]
        return [self._keys[place] for place in ranked if scores[place] >= _WORTH * scores[ranked[0]]]


def _weighed(document: Document) -> dict[str, float]:
    weights: dict[str, float] = defaultdict(float)
    for text, weight in document.fields:
        for term in _terms(text):
            weights[term] += weight
    return weights


def _terms(text: str) -> list[str]:
    return [_stem(word) for word in words(text) if word not in _COMMON]


def _stem(word: str) -> str:
    """Without an English ending, so that ``prices`` finds ``price``; other languages rarely have these."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM - (ending == "s"):
            return word[: -len(ending)]
    return word
