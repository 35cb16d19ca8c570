"""How two playbooks differ: place by place, and in words."""

import msgspec
from msgspec import UNSET

from scriza.modules.strategy import shape
from scriza.modules.strategy.changes import Difference, changes
from scriza.modules.strategy.summary import summary
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import Change, DiffReport


def diff(before: Playbook, after: Playbook) -> DiffReport:
    """What changed from one playbook to the other. Empty if and only if the two are equal."""
    found = list(changes(shape.document(), before, after))
    return DiffReport([_told(difference) for difference in found], summary(before, after, found))


def _told(found: Difference) -> Change:
    before, after = (UNSET if value is UNSET else msgspec.to_builtins(value) for value in (found.before, found.after))
    return Change(found.pointer, found.kind, before, after)
