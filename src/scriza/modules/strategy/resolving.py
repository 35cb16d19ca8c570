"""Decisions that people take about the conflicts of a merge."""

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.strategy.edits import edited
from scriza.modules.strategy.merge import merge
from scriza.modules.strategy.sources import checked, refusal
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import Choice, Edit, Merged, MergeStrategy, Resolution


def resolved(
    base: Playbook,
    ours: Playbook,
    theirs: Playbook,
    strategy: MergeStrategy,
    resolutions: Sequence[Resolution],
    today: date,
) -> Merged:
    """The merge with these conflicts decided; `strategy` decides the others.

    Raises BadInput for a decision about what is no conflict, and for a value that may not stand there.
    """
    choices: Mapping[str, Choice] = {each.pointer: _choice(each) for each in resolutions}
    merged = merge(base, ours, theirs, strategy, choices)
    known = {conflict.pointer for conflict in merged.resolved}
    if stray := next((each.pointer for each in resolutions if each.pointer not in known), None):
        raise BadInput(f"resolutions: there is no conflict at {stray}")
    own = [Edit(each.pointer, each.value) for each in resolutions if each.take == "value"]
    if not own or merged.playbook is None:
        return merged
    found = checked(edited(merged.playbook, own), today)
    if found.playbook is None:
        raise refusal(found.findings)
    return msgspec.structs.replace(merged, playbook=found.playbook)


def _choice(resolution: Resolution) -> Choice:
    return "ours" if resolution.take == "value" else resolution.take
