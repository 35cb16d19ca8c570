"""Finding what a playbook says about the caller's words, among hundreds of records and without a model.

Scores are BM25F (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009): BM25 with the
words of each field counted as often as the field weighs.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from scriza.modules.agent.matching import FILLERS, NEGATIONS, words

_K1 = 1.2
_B = 0.75
_WORTH = 0.4
"""Of the best one's score: what has less is not about the same."""
_COVERED = 0.6
"""Of the query's words, by their rarity, that a document must have to be surely what is meant."""
_CLEARLY = 1.3
"""So many times the next one's score the best one has, when it is surely what is meant."""
_COMMON = FILLERS | frozenset(
    "your yours you we us our ours he she they them their this these those there here what which who how when where "
    "why am are was were be been do does did have has had can could would will shall should may might must not no "
    "yes for with from in on at by about as if but or than then too very more some any all one get got go let want "
    "need know tell say said think like".split()
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

    def surely(self, query: str) -> str:
        """The key of the one document that the query is about without doubt; empty when there is none."""
        ...


class Bm25:
    """A `Retriever` by the words of the documents."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._keys = [document.key for document in documents]
        counted = [_weighed(document) for document in documents]
        lengths = [sum(weights.values()) for weights in counted]
        average = sum(lengths) / max(len(lengths), 1) or 1.0
        self._counts = Counter(term for weights in counted for term in weights)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, (weights, length) in enumerate(zip(counted, lengths, strict=True)):
            norm = _K1 * (1 - _B + _B * length / average)
            for term, weight in weights.items():
                self._postings[term].append((place, self._rarity(term) * weight * (_K1 + 1) / (weight + norm)))

    def best(self, query: str, most: int) -> list[str]:
        """As the protocol says; of equals, the earlier document goes first."""
        ranked = self._ranked(set(_terms(query)))[:most]
        return [self._keys[place] for place, score in ranked if score >= _WORTH * ranked[0][1]]

    def surely(self, query: str) -> str:
        """The key of the one document that has most of the query's words, and clearly more than any other.

        Empty when there is no such one, and for a query that denies something, whose words do not tell what.
        """
        terms = set(_terms(query))
        ranked = self._ranked(terms)[:2]
        if not ranked or not NEGATIONS.isdisjoint(words(query)):
            return ""
        (place, score), others = ranked[0], ranked[1:]
        has = sum(self._rarity(term) for term in terms if any(place == at for at, _ in self._postings.get(term, ())))
        is_clear = all(score >= _CLEARLY * other for _, other in others)
        return self._keys[place] if is_clear and has >= _COVERED * sum(map(self._rarity, terms)) else ""

    def _ranked(self, terms: Iterable[str]) -> list[tuple[int, float]]:
        """Places and scores of the documents that have any of the terms, the best first."""
        scores: dict[int, float] = defaultdict(float)
        for term in terms:
            for place, score in self._postings.get(term, ()):
                scores[place] += score
        return sorted(scores.items(), key=lambda found: (-found[1], found[0]))

    def _rarity(self, term: str) -> float:
        return math.log(1 + (len(self._keys) - self._counts[term] + 0.5) / (self._counts[term] + 0.5))


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
