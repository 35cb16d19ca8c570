"""The books of playbooks in the store."""

from collections.abc import Iterable
from datetime import datetime

from scriza.kernel.errors import Conflict
from scriza.kernel.ids import new_id
from scriza.modules.strategy.books import Commit, Refs, Rendering, Version
from scriza.modules.strategy.documents import (
    AlreadyThere,
    Session,
    ask_rendering,
    bears,
    change_rendering,
    drop_rendering,
    due_renderings,
    find_rendering,
    find_version,
    insert_log,
    insert_new_versions,
    list_versions,
    move_refs,
    read_log,
    read_refs,
    take_rendering,
)
from scriza.ports.store import Store, UnitOfWork
from scriza.ports.strategy import RefChange, VersionInfo

_COLLISIONS = 5
_CANDIDATES = 8
"""Of those that are due, so many are tried; others may be taking the same."""


class _Lost(Exception):
    """Ends the transaction of who was not first."""


class MongoStrategyBook:
    """Implements StrategyBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def commit(self, change: Commit) -> bool:
        """See StrategyBook."""
        mark = new_id("op")

        async def work(unit: UnitOfWork[Session]) -> None:
            if not await move_refs(change.workspace, change.old, change.new, mark, unit.session):
                raise _Lost
            await insert_new_versions(change.workspace, change.versions, unit.session)
            await insert_log(change.workspace, change.new.slug, change.log, unit.session)
            if change.rendering is not None:
                await ask_rendering(change.rendering, unit.session)

        for _ in range(_COLLISIONS):
            try:
                await self._store.run(work)
            except (_Lost, AlreadyThere):
                with self._store.errors():
                    if await bears(change.workspace, change.new.slug, mark):
                        return True  # the commit went through, and only its answer was lost
                    now = await self.refs(change.workspace, change.new.slug)
                if (now or change.old).revision != change.old.revision or (now is None) != (not change.old.revision):
                    return False
                continue  # a version, or its rendering, was put there by another slug's change
            return True
        raise Conflict("others keep saving the same")

    async def refs(self, workspace: str, slug: str) -> Refs | None:
        """See StrategyBook."""
        with self._store.errors():
            found = await read_refs({"workspace": workspace, "slug": slug}, 1)
        return found[0] if found else None

    async def page(self, workspace: str, after: str, limit: int) -> list[Refs]:
        """See StrategyBook."""
        with self._store.errors():
            return await read_refs({"workspace": workspace, "slug": {"$gt": after}}, limit)

    async def version(self, workspace: str, version: str) -> Version | None:
        """See StrategyBook."""
        with self._store.errors():
            return await find_version({"_id": f"{workspace}/{version}"})

    async def infos(self, workspace: str, versions: Iterable[str]) -> dict[str, VersionInfo]:
        """See StrategyBook."""
        ids = [f"{workspace}/{version}" for version in versions]
        with self._store.errors():
            return {info.id: info for info in await list_versions({"_id": {"$in": ids}})}

    async def numbered(self, workspace: str, slug: str, number: int) -> Version | None:
        """See StrategyBook."""
        with self._store.errors():
            return await find_version({"workspace": workspace, "slug": slug, "number": number})

    async def versions(self, workspace: str, slug: str, below: int, limit: int) -> list[VersionInfo]:
        """See StrategyBook."""
        with self._store.errors():
            return await list_versions({"workspace": workspace, "slug": slug, "number": {"$lt": below}}, limit)

    async def log(self, workspace: str, slug: str, below: int, limit: int) -> list[RefChange]:
        """See StrategyBook."""
        with self._store.errors():
            return await read_log(workspace, slug, below, limit)


class MongoRenderingBook:
    """Implements RenderingBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def ask(self, wanted: Rendering) -> None:
        """See RenderingBook."""
        with self._store.errors():
            try:
                await ask_rendering(wanted)
            except AlreadyThere:
                await ask_rendering(wanted)

    async def take(self, now: datetime, until: datetime, holder: str) -> Rendering | None:
        """See RenderingBook."""
        with self._store.errors():
            for seen in await due_renderings(now, _CANDIDATES):
                if await take_rendering(seen, holder, until):
                    return await find_rendering(seen.workspace, seen.version)
        return None

    async def hold(self, taken: Rendering, until: datetime) -> bool:
        """See RenderingBook."""
        with self._store.errors():
            return await change_rendering(taken, {"held_until": until})

    async def put_off(self, taken: Rendering, due_at: datetime, reason: str = "") -> None:
        """See RenderingBook."""
        tries = taken.tries + 1 if reason else taken.tries
        later = {"holder": "", "held_until": None, "due_at": due_at, "tries": tries, "reason": reason}
        with self._store.errors():
            await change_rendering(taken, later)

    async def finish(self, taken: Rendering) -> None:
        """See RenderingBook."""
        with self._store.errors():
            await drop_rendering(taken)

    async def find(self, workspace: str, version: str) -> Rendering | None:
        """See RenderingBook."""
        with self._store.errors():
            return await find_rendering(workspace, version)
