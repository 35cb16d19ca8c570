"""Playbooks kept in memory, for tests without a database; held to the same contract as the store's books."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from scriza.modules.strategy.books import Commit, Refs, Rendering, Version
from scriza.ports.strategy import RefChange, VersionInfo


class MemoryRenderingBook:
    """Implements RenderingBook."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, str], Rendering] = {}

    async def ask(self, wanted: Rendering) -> None:
        key = (wanted.workspace, wanted.version)
        if known := self.waiting.get(key):
            urgent, due = known.urgent or wanted.urgent, min(known.due_at, wanted.due_at)
            wanted = msgspec.structs.replace(known, urgent=urgent, due_at=due)
        self.waiting[key] = wanted

    async def take(self, now: datetime, until: datetime, holder: str) -> Rendering | None:
        free = [each for each in self.waiting.values() if each.due_at <= now and (each.held_until or now) <= now]
        if not free:
            return None
        first = min(free, key=lambda each: (not each.urgent, each.due_at))
        taken = msgspec.structs.replace(first, holder=holder, held_until=until)
        self.waiting[taken.workspace, taken.version] = taken
        return taken

    async def hold(self, taken: Rendering, until: datetime) -> bool:
        return self._change(taken, held_until=until)

    async def put_off(self, taken: Rendering, due_at: datetime, reason: str = "") -> None:
        tries = taken.tries + 1 if reason else taken.tries
        self._change(taken, holder="", held_until=None, due_at=due_at, tries=tries, reason=reason)

    async def finish(self, taken: Rendering) -> None:
        if self._change(taken):
            del self.waiting[taken.workspace, taken.version]

    async def find(self, workspace: str, version: str) -> Rendering | None:
        return self.waiting.get((workspace, version))

    def _change(self, taken: Rendering, **changes: object) -> bool:
        now = self.waiting.get((taken.workspace, taken.version))
        if now is None or now.holder != taken.holder:
            return False
        self.waiting[taken.workspace, taken.version] = msgspec.structs.replace(now, **changes)
        return True


class MemoryStrategyBook:
    """Implements StrategyBook."""

    def __init__(self, renderings: MemoryRenderingBook | None = None) -> None:
        self.renderings = renderings or MemoryRenderingBook()
        self._refs: dict[tuple[str, str], Refs] = {}
        self._versions: dict[tuple[str, str], Version] = {}
        self._log: dict[tuple[str, str], list[RefChange]] = {}

    async def commit(self, change: Commit) -> bool:
        key = (change.workspace, change.new.slug)
        if self._refs.get(key, Refs(change.new.slug)).revision != change.old.revision:
            return False
        self._refs[key] = change.new
        for version in change.versions:
            self._versions.setdefault((change.workspace, version.info.id), version)
        self._log.setdefault(key, []).extend(change.log)
        if change.rendering is not None:
            await self.renderings.ask(change.rendering)
        return True

    async def refs(self, workspace: str, slug: str) -> Refs | None:
        return self._refs.get((workspace, slug))

    async def page(self, workspace: str, after: str, limit: int) -> list[Refs]:
        behind = [refs for (whose, slug), refs in self._refs.items() if whose == workspace and slug > after]
        return sorted(behind, key=lambda refs: refs.slug)[:limit]

    async def version(self, workspace: str, version: str) -> Version | None:
        return self._versions.get((workspace, version))

    async def infos(self, workspace: str, versions: Iterable[str]) -> dict[str, VersionInfo]:
        found = (self._versions.get((workspace, version)) for version in versions)
        return {version.info.id: version.info for version in found if version is not None}

    async def numbered(self, workspace: str, slug: str, number: int) -> Version | None:
        found = (each for (whose, _), each in self._versions.items() if whose == workspace and each.info.slug == slug)
        return next((each for each in found if each.info.number == number), None)

    async def versions(self, workspace: str, slug: str, below: int, limit: int) -> list[VersionInfo]:
        infos = [each.info for (whose, _), each in self._versions.items() if whose == workspace]
        found = [info for info in infos if info.slug == slug and info.number < below]
        return sorted(found, key=lambda info: -info.number)[:limit]

    async def log(self, workspace: str, slug: str, below: int, limit: int) -> list[RefChange]:
        found = [line for line in self._log.get((workspace, slug), []) if line.revision < below]
        return sorted(found, key=lambda line: (-line.revision, line.ref))[:limit]
