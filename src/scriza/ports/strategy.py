"""Playbooks as source code: what leads a call, by its name or pinned to a version."""

from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from scriza.kernel.operation import operation
from scriza.ports.playbook import Playbook


class PlaybookRef(msgspec.Struct, frozen=True):
    """Names a playbook: a version's id (``sv_…``), or a slug for its published version; empty for the default one."""

    name: str = ""


class PinnedPlaybook(msgspec.Struct, frozen=True):
    """One version of a playbook. The same `version` is the same document for ever."""

    version: str
    """``sv_`` and the first 32 hex digits of the SHA-256 of its canonical JSON."""
    playbook: Playbook


# ---- ingest and lint ---------------------------------------------------------------------------------------------

SourceKind = Literal["yaml", "json", "markdown", "csv"]
Level = Literal["error", "warning", "note"]


class Place(msgspec.Struct, frozen=True):
    """Where something is written, both counted from 1; column 0 is not known."""

    line: int
    column: int = 0


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something to be said about a document.

    An `error` keeps it from being saved, a `warning` will be heard or missed in calls, a `note` tells what was read
    otherwise than it was written.
    """

    level: Level
    code: str
    """A word for programs; docs/playbooks.md lists them."""
    message: str
    pointer: str = ""
    """RFC 6901, into the document as it was written: ``/faqs/0/a/1``; empty is the whole of it."""
    fix: str = ""
    """What to do about it, in words."""
    file: str = ""
    line: int = 0
    """0 where there is no file."""
    column: int = 0


class Evidence(msgspec.Struct, frozen=True):
    """What a field of a draft was taken from: the words themselves, and where they begin in the source's text."""

    pointer: str
    excerpt: str
    offset: int


class Draft(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was read from a source: a playbook, or as much of one as there is."""

    document: dict[str, object]
    """In the order in which it was written, with the forms of its values made right."""
    findings: list[Finding] = []
    playbook: Playbook | None = None
    """The same, typed; absent while there are errors. `normalise` makes of it what is kept."""
    places: dict[str, Place] = {}
    """By pointer; what has none is where the nearest part around it is."""
    provenance: list[Evidence] = []
    """Of a draft that was drawn from free text."""


# ---- merge and diff ----------------------------------------------------------------------------------------------
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


class Strategy(Protocol):
    """Keeps the team's playbooks."""

    @operation("POST /v1/playbook", idempotent=True)
    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        """The playbook to lead a call by. Raises NotFound for what is neither a version nor published."""
        ...
