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
    place = {key: index for index, key in enumerate(order)}
    runs: dict[int, list[list[Key]]] = {}
    at: dict[Key, int] = {}
    for side in sides:
        anchor = -1
        for key in side:
            if key in place:
                anchor = place[key]
            elif key in kept:
                at[key] = min(anchor, at.get(key, anchor))
    for side in sides:
        side_runs: dict[int, list[Key]] = {}
        for key in side:
            if key in at:
                side_runs.setdefault(at[key], []).append(key)
        for anchor, run in side_runs.items():
            runs.setdefault(anchor, []).append(run)
    merged: dict[Key, None] = {}
    for index in range(-1, len(order)):
        if index >= 0:
            merged[order[index]] = None
        merged |= dict.fromkeys(key for run in sorted(runs.get(index, [])) for key in run)
    return list(merged)
