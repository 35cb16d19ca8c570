"""Three-way merge of playbooks."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from scriza.modules.strategy import shape
from scriza.modules.strategy.merge.walk import Own, Walk
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import Choice, Merged, MergeStats, MergeStrategy

__all__ = ["Own", "merge"]

_NONE: Mapping[str, Choice | Own] = {}


def merge(
    base: Playbook,
    ours: Playbook,
    theirs: Playbook,
    strategy: MergeStrategy = "manual",
    choices: Mapping[str, Choice | Own] = _NONE,
) -> Merged:
    """One playbook with the changes that both sides made to the base, and what there is to know about it.

    All three are canonical (see `normalise`). Records are told apart by their ids and merged by their fields, sets by
    what is in them, lists by their items and their order, texts by their sentences. A change that one side made is
    taken; where both changed the same, `choices` decide by the conflict's pointer, for a side or for a value of its
    own, and `strategy` decides the rest.

    Swapping the sides changes nothing but the names of the sides, as long as no conflict is decided for one of them.
    References that lead nowhere, because one side removed what the other refers to, are for the linter to find.
    """
    unless = None if strategy == "manual" else strategy
    walk = Walk(lambda pointer: choices.get(pointer, unless))
    merged = walk.value("", shape.document(), base, ours, theirs)
    try:
        playbook, problem = msgspec.convert(msgspec.to_builtins(merged), Playbook), ""
    except msgspec.ValidationError as error:
        playbook, problem = None, f"the edits of both sides do not go together: {error}"
    sides = Counter(found.side for found in walk.auto)
    stats = MergeStats(sides["ours"], sides["theirs"], sides["both"], len(walk.open) + len(walk.resolved))
    return Merged(playbook, walk.open, walk.resolved, walk.auto, walk.renames, stats, problem)
