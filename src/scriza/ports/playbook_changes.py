"""How playbooks differ, and what comes of merging two that were made of a third one."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from scriza.ports.playbook import Playbook

# Pointers are RFC 6901, with a record's `id` (or `name`) where a list has records: ``/faqs/price/a/0``. An exit goes
# by the stage that it leads to, with what it is taken on behind a colon: ``/stages/pitch/exits/booking:yes``. Other
# items of lists go by their index, in the base where there are three versions, and a new one by ``-``. An index is
# never taken for an id, since ids begin with a letter.

Side = Literal["ours", "theirs"]
Choice = Literal["ours", "theirs", "union"]
MergeStrategy = Literal["manual", "ours", "theirs", "union"]
"""What stands where both sides changed the same place.

`manual` leaves the conflict open, with ours in its place; `union` keeps what either side has (both wordings, an edit
rather than a deletion), and ours where only one value can stand.
"""


class Conflict(msgspec.Struct, frozen=True):
    """A place that both sides changed, each in its own way. A side that has nothing there leaves its value out.

    Swapping the sides of a merge swaps `ours` and `theirs`, also in `take`, and changes nothing else.
    """

    pointer: str
    kind: Literal["value", "text", "delete_edit", "add_add", "order"]
    """`text`: the same sentences were reworded; `add_add`: both added something different under the same key; `order`:
    both moved the same items of the list, and the values are its ids in their order."""
    base: object | UnsetType = UNSET
    ours: object | UnsetType = UNSET
    theirs: object | UnsetType = UNSET
    suggestion: str = ""
    """What to do about it, in words."""
    take: Choice | Literal[""] = ""
    """The same as a choice; empty when only a person can tell."""


class AutoMerge(msgspec.Struct, frozen=True):
    """A change that was taken without asking: one side made it, or both did in the same way.

    Side `both` also tells of a text in which the two changed different sentences.
    """

    pointer: str
    side: Literal["ours", "theirs", "both"]
    kind: Literal["added", "removed", "changed", "moved"]


class Rename(msgspec.Struct, frozen=True):
    """A record that one side seems to have given another id.

    It is told and nothing more: the merge took it for one that was removed and one that was added.
    """

    pointer: str
    to: str
    """The pointer to the record that is new."""
    side: Side
    similarity: float
    """Of their words, 0 to 1."""


class MergeStats(msgspec.Struct, frozen=True):
    """How many changes came from where, and how many places are in conflict."""

    ours: int
    theirs: int
    both: int
    conflicts: int


class Merged(msgspec.Struct, frozen=True):
    """What came of a merge. It can be published when nothing is in `conflicts` and `problem` is empty."""

    playbook: Playbook | None
    """Absent when the edits of both sides together break a bound of the document: too many variants, say."""
    conflicts: list[Conflict] = []
    """Those that were left open: all of them by `manual`, none by the other strategies."""
    resolved: list[Conflict] = []
    """Those that the strategy decided."""
    auto: list[AutoMerge] = []
    renames: list[Rename] = []
    stats: MergeStats = MergeStats(0, 0, 0, 0)
    problem: str = ""
    """Why there is no playbook, with the place."""


class Change(msgspec.Struct, frozen=True):
    """One place where two playbooks differ."""

    pointer: str
    """Into the later one, or into the earlier one where something was removed."""
    kind: Literal["added", "removed", "changed", "moved"]
    """`moved`: the value is the same, its place in its list is another; the values are the indices."""
    before: object | UnsetType = UNSET
    after: object | UnsetType = UNSET


class SectionSummary(msgspec.Struct, frozen=True):
    """What changed in a part of the playbook, as a person would tell it."""

    section: str
    """The part's title: ``Objections``."""
    text: str
    """``The answer to "too expensive" was reworded; "no budget" is new.``"""


class DiffReport(msgspec.Struct, frozen=True):
    """How two playbooks differ; empty when they don't."""

    changes: list[Change] = []
    summary: list[SectionSummary] = []
