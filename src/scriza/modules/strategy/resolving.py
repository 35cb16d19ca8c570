"""Decisions that people take about the conflicts of a merge."""

from collections.abc import Sequence
from datetime import date

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.strategy.merge import Own, merge
from scriza.modules.strategy.sources import checked, refusal
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import Merged, MergeStrategy
from scriza.ports.strategy import Resolution


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
    choices = {each.pointer: Own(each.value) if each.take == "value" else each.take for each in resolutions}
    merged = merge(base, ours, theirs, strategy, choices)
    known = {conflict.pointer for conflict in merged.resolved}
    if stray := next((each.pointer for each in resolutions if each.pointer not in known), None):
        raise BadInput(f"resolutions: there is no conflict at {stray}")
    if not any(each.take == "value" for each in resolutions):
        return merged
    if merged.playbook is None:
        raise BadInput(f"resolutions: {merged.problem}")
    found = checked(msgspec.to_builtins(merged.playbook), today)
    if found.playbook is None:
        raise refusal(found.findings)
    return msgspec.structs.replace(merged, playbook=found.playbook)
