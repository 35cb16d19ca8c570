"""Records that seem to have got another id."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from math import ceil

from scriza.modules.strategy.items import Key, similarity, words

SAME = 0.8
"""The similarity from which one record is taken for another under a new id."""

_MOST = 150
"""Records on each side that are compared with those of the other where their words are not simply the same.

So a merge in which everything got another id and other words takes less than 100 ms; of the rest nothing is told.
"""

_Words = frozenset[str]


def renames(base: Mapping[Key, object], side: Mapping[Key, object]) -> Iterator[tuple[Key, Key, float]]:
    """The old id, the new one, and how alike the two records are; the most alike first, each record once."""
    gone = {key: words(item) for key, item in base.items() if key not in side}
    came = {key: words(item) for key, item in side.items() if key not in base} if gone else {}
    by_words = {said: old for old, said in reversed(gone.items())}
    for new, said in list(came.items()):  # most are not edited as well, and are found without comparing all with all
        if said and said in by_words:
            old = by_words.pop(said)
            del gone[old], came[new]
            yield old, new, 1.0
    likenesses = (
        (similarity(gone[old], came[new]), old, new) for old, new in _may_be_alike(_first(gone), _first(came))
    )
    alike = sorted((pair for pair in likenesses if pair[0] >= SAME), key=lambda pair: (-pair[0], *pair[1:]))
    for likeness, old, new in alike:
        if old in gone and new in came:
            del gone[old], came[new]
            yield old, new, likeness


def _first(known: Mapping[Key, _Words]) -> dict[Key, _Words]:
    return dict(islice(known.items(), _MOST))


def _may_be_alike(gone: Mapping[Key, _Words], came: Mapping[Key, _Words]) -> set[tuple[Key, Key]]:
    """Pairs that share one of their rarest words, among which are all that are alike.

    Two sets with a Dice coefficient of t share at least t / (2 - t) of either's words. So if all sets are in one order,
    the first words of each, one more than may be missing, hold one that both have (Chaudhuri et al., A Primitive
    Operator for Similarity Joins, 2006); with the rarest first, few others have it.
    """
    count = Counter(word for known in (gone, came) for said in known.values() for word in said)
    shared = SAME / (2 - SAME)

    def rarest(said: _Words) -> list[str]:
        in_order = sorted(said, key=lambda word: (count[word], word))
        return in_order[: len(said) - ceil(shared * len(said)) + 1]

    with_word: dict[str, list[Key]] = {}
    for old, said in gone.items():
        for word in rarest(said):
            with_word.setdefault(word, []).append(old)
    return {(old, new) for new, said in came.items() for word in rarest(said) for old in with_word.get(word, ())}
