"""Records that seem to have got another id."""

from collections.abc import Iterator, Mapping

from scriza.modules.strategy.items import Key, similarity, words

SAME = 0.8
"""The similarity from which one record is taken for another under a new id."""


def renames(base: Mapping[Key, object], side: Mapping[Key, object]) -> Iterator[tuple[Key, Key, float]]:
    """The old id, the new one, and how alike the two records are; the most alike first, each record once."""
    gone = {key: words(item) for key, item in base.items() if key not in side}
    came = {key: words(item) for key, item in side.items() if key not in base} if gone else {}
    alike = [
        (likeness, old, new)
        for old, said in gone.items()
        for new, says in came.items()
        if _may_be_alike(said, says) and (likeness := similarity(said, says)) >= SAME
    ]
    for likeness, old, new in sorted(alike, key=lambda pair: (-pair[0], *pair[1:])):
        if old in gone and new in came:
            del gone[old], came[new]
            yield old, new, likeness


def _may_be_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether their sizes leave it possible: twice the smaller over the sum is the most that it can be."""
    return bool(one and other) and 2 * min(len(one), len(other)) >= SAME * (len(one) + len(other))
