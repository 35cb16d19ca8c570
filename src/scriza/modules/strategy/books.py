"""What is kept of playbooks: the doors behind which it is kept."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import Conflict
from scriza.ports.strategy import RefChange, VersionInfo


class Version(msgspec.Struct, frozen=True):
    """A version as it is kept. It never changes."""

    info: VersionInfo
    playbook: Playbook


class Refs(msgspec.Struct, frozen=True):
    """What a slug points at. Every change counts `revision` up, by which two that change it at once are told apart."""

    slug: str
    title: str = ""
    revision: int = 0
    latest: int = 0
    """The number of the newest version."""
    draft: str = ""
    published: str = ""
    """Ids of versions; empty where there is none."""
    conflicts: tuple[Conflict, ...] = ()
    """What a merge has left open in the draft."""
    unresolved: tuple[str, ...] = ()
    """Ids of versions that a merge has left conflicts in, and which nobody has saved as they are since; the latest."""


class Rendering(msgspec.Struct, frozen=True):
    """A version whose fixed lines are to be spoken. `urgent` ones, which are published, go first."""

    workspace: str
    slug: str
    version: str
    urgent: bool
    due_at: datetime
    held_until: datetime | None = None
    """A process is at work on it until then, unless it says more."""
    holder: str = ""
    tries: int = 0
    reason: str = ""
    """Why the last try did not bring all lines."""


class Commit(msgspec.Struct, frozen=True):
    """A change of what a slug points at, with all that belongs to it: kept as a whole or not at all."""

    workspace: str
    old: Refs
    """What it was decided by; revision 0 is of a slug that points at nothing yet."""
    new: Refs
    versions: Sequence[Version]
    """Those that may be new; one that is there already stays as it is."""
    log: Sequence[RefChange]
    rendering: Rendering | None = None


class StrategyBook(Protocol):
    """Keeps versions, what slugs point at, and the log of that."""

    async def commit(self, change: Commit) -> bool:
        """Make the change; False, and nothing is changed, when the slug does not point at `old` any more."""
        ...

    async def refs(self, workspace: str, slug: str) -> Refs | None:
        """What a slug points at."""
        ...

    async def page(self, workspace: str, after: str, limit: int) -> list[Refs]:
        """At most `limit` slugs behind `after`, in their order."""
        ...

    async def version(self, workspace: str, version: str) -> Version | None:
        """A version by its id."""
        ...

    async def infos(self, workspace: str, versions: Iterable[str]) -> dict[str, VersionInfo]:
        """What these versions are, by their ids; those that are not there are left out."""
        ...

    async def numbered(self, workspace: str, slug: str, number: int) -> Version | None:
        """A version by its number."""
        ...

    async def versions(self, workspace: str, slug: str, below: int, limit: int) -> list[VersionInfo]:
        """At most `limit` versions with numbers below `below`, the newest first."""
        ...

    async def log(self, workspace: str, slug: str, below: int, limit: int) -> list[RefChange]:
        """At most `limit` changes with revisions below `below`, the newest first."""
        ...


class RenderingBook(Protocol):
    """Keeps what is to be spoken until it is, whatever happens to who does it."""

    async def ask(self, wanted: Rendering) -> None:
        """Put a version on the list; one that is there becomes urgent when this is, and due."""
        ...

    async def take(self, now: datetime, until: datetime, holder: str) -> Rendering | None:
        """The most urgent one that is due and that nobody is at work on; it is the holder's until then.

        A `holder` is a name that nobody else has had.
        """
        ...

    async def hold(self, taken: Rendering, until: datetime) -> bool:
        """Be at work for longer; False when somebody else has taken it."""
        ...

    async def put_off(self, taken: Rendering, due_at: datetime, reason: str = "") -> None:
        """Let go of it, to be taken up again; with a `reason` it counts as a try that failed."""
        ...

    async def finish(self, taken: Rendering) -> None:
        """All is spoken, or not wanted any more: take it off the list."""
        ...

    async def find(self, workspace: str, version: str) -> Rendering | None:
        """How it stands with a version."""
        ...
