"""The order of a list that two sides have changed. Pure, and the same whichever side is called ours."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import combinations

from scriza.modules.strategy.items import Key

_MOST = 1_000
"""Items whose order is merged pair by pair; of a longer list only one side can change it."""


def moved(base: Sequence[Key], side: Sequence[Key]) -> set[Key]:
    """The fewest items that have to be moved to make the one order the other; items of only one are not looked at.

    What stays is the longest increasing run of places (Fredman 1975, by patience sorting).
    """
    place = {key: index for index, key in enumerate(base)}
    common = [key for key in side if key in place]
    ends: list[int] = []
    length: dict[Key, int] = {}
    for key in common:
        length[key] = bisect_left(ends, place[key])
        ends[length[key] : length[key] + 1] = [place[key]]
    stay, wanted, before = set(), len(ends) - 1, len(place)
    for key in reversed(common):
        if length[key] == wanted and place[key] < before:
            stay.add(key)
            wanted, before = wanted - 1, place[key]
    return {key for key in common if key not in stay}


def merged_order(base: Sequence[Key], ours: Sequence[Key], theirs: Sequence[Key]) -> list[Key] | None:
    """The order of three orders of the same items; None where the two sides contradict each other.

    Two items change places when they have changed them in either side. The sides contradict each other when both moved
    the same item, and not to the same place, or when what they say of pairs goes in a circle.
    """
    if ours == theirs or theirs == base:
        return list(ours)
    if ours == base:
        return list(theirs)
    if len(base) > _MOST:
        return None
    by_one = moved(base, ours) ^ moved(base, theirs)
    if [key for key in ours if key not in by_one] != [key for key in theirs if key not in by_one]:
        return None
    mine, its = ({key: index for index, key in enumerate(side)} for side in (ours, theirs))
    before_it = dict.fromkeys(base, 0)
    for one, other in combinations(base, 2):
        stay = mine[one] < mine[other] and its[one] < its[other]
        before_it[other if stay else one] += 1
    order = sorted(base, key=before_it.__getitem__)
    return order if [before_it[key] for key in order] == list(range(len(order))) else None


def with_added(order: Sequence[Key], sides: Sequence[Sequence[Key]], kept: Collection[Key]) -> list[Key]:
    """`order` with the items that sides have added, each behind the item that it stands behind in its side.

    Where both have added some at the same place, those that come first in the alphabet go first.
    """
    behind = _anchors(order, sides, kept)
    added: list[dict[Key, list[Key]]] = [{} for _ in sides]
    for runs, side in zip(added, sides, strict=True):
        for key in side:
            if key in behind:
                runs.setdefault(behind[key], []).append(key)
    merged: dict[Key, None] = {}
    for anchor in ("", *order):
        if anchor:
            merged[anchor] = None
        merged |= dict.fromkeys(key for run in sorted(runs.get(anchor, []) for runs in added) for key in run)
    return list(merged)


def _anchors(order: Sequence[Key], sides: Sequence[Sequence[Key]], kept: Collection[Key]) -> dict[Key, Key]:
    """Behind which item of `order` each added one goes, the first where the sides differ; empty is the beginning."""
    place = {"": -1} | {key: index for index, key in enumerate(order)}
    behind: dict[Key, Key] = {}
    for side in sides:
        anchor = ""
        for key in side:
            if key in place:
                anchor = key
            elif key in kept:
                behind[key] = min(anchor, behind.get(key, anchor), key=place.__getitem__)
    return behind
