"""Moving what a slug points at: decided by what it points at now, and done only if it still does."""

from collections.abc import Callable, Sequence

import msgspec

from scriza.kernel.clock import WallClock
from scriza.kernel.errors import Conflict, PreconditionFailed
from scriza.kernel.principal import Principal
from scriza.modules.strategy.books import Commit, Refs, Rendering, StrategyBook, Version
from scriza.modules.strategy.library import Library, etag
from scriza.ports.strategy import Act, Ref, RefChange

_ATTEMPTS = 20
"""At a change that names no tag, of which many may be made at once."""


class Move(msgspec.Struct, frozen=True):
    """What is to become of a slug: `refs` without their revision, which is counted up here."""

    refs: Refs
    versions: Sequence[Version] = ()
    """Those that may be new, and those that must not go with the release of Scriza that they ship with."""
    spoken: Version | None = None
    """The one whose fixed lines are to be spoken."""


class Mover:
    """Moves refs, with the log of it and what is to be spoken, as one change of the book."""

    def __init__(self, book: StrategyBook, library: Library, clock: WallClock) -> None:
        self._book, self._library, self._clock = book, library, clock

    async def move(
        self, principal: Principal, slug: str, act: Act, decide: Callable[[Refs], Move], *, message: str, if_match: str
    ) -> Refs:
        """Do what `decide` makes of the slug's refs, which is asked again when somebody else was first.

        Nothing is done where it changes nothing. Raises PreconditionFailed when the refs are not those that `if_match`
        names, Conflict when others keep being first, and what `decide` raises.
        """
        for _ in range(_ATTEMPTS):
            old = await self._library.refs(principal.workspace, slug)
            if if_match not in {"", etag(old)} and not (if_match == "*" and self._library.is_known(old)):
                raise PreconditionFailed(f"the playbook has changed since: its etag is {etag(old)}")
            move = decide(old)
            if move.refs == old:
                return old
            commit = self._commit(principal, act, old, move, message)
            if await self._book.commit(commit):
                return commit.new
        raise Conflict("others keep changing this playbook")

    def _commit(self, principal: Principal, act: Act, old: Refs, move: Move, message: str) -> Commit:
        new = msgspec.structs.replace(move.refs, revision=old.revision + 1)
        now = self._clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as precisely as the store keeps it
        before = msgspec.structs.replace(old, published=self._library.published(old))
        log = [
            RefChange(new.revision, ref, act, getattr(before, ref), getattr(new, ref), principal.subject, now, message)
            for ref in _REFS
            if getattr(new, ref) not in {"", getattr(before, ref)}
        ]
        rendering = None
        if (spoken := move.spoken) is not None:
            urgent = spoken.info.id == new.published
            rendering = Rendering(principal.workspace, new.slug, spoken.info.id, urgent, due_at=now)
        return Commit(principal.workspace, old, new, move.versions, log, rendering)


_REFS: tuple[Ref, ...] = ("draft", "published")
