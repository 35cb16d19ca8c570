"""What was read of a playbook from a source, and what there is to say about it."""

from typing import Literal

import msgspec

from scriza.ports.playbook import Playbook

SourceKind = Literal["yaml", "json", "markdown", "csv"]
Level = Literal["error", "warning", "note"]


class Place(msgspec.Struct, frozen=True):
    """Where something is written, both counted from 1; column 0 is not known."""

    line: int
    column: int = 0


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something to be said about a document.

    An `error` keeps it from being a playbook, or from being published; a `warning` will be heard or missed in calls; a
    `note` tells what was read otherwise than it was written.
    """

    level: Level
    code: str
    """A word for programs; docs/writing-playbooks.md lists them."""
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
