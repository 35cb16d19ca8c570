"""What a workspace has of playbooks, and what ships with Scriza, as one."""

from collections.abc import Sequence

from scriza.kernel.errors import Conflict, NotFound
from scriza.modules.strategy.books import Refs, StrategyBook, Version
from scriza.modules.strategy.shipped import Samples
from scriza.ports.strategy import StrategyState, VersionInfo

_MOST_ANCESTORS = 1000
"""Versions that are looked at for what two have in common."""


class Library:
    """Finds playbooks and versions of a workspace; those that ship with Scriza are in every one."""

    def __init__(self, book: StrategyBook, samples: Samples) -> None:
        self._book, self._samples = book, samples

    async def refs(self, workspace: str, slug: str) -> Refs:
        """What a slug points at: revision 0 where nothing was saved yet."""
        return await self._book.refs(workspace, slug) or Refs(slug)

    def published(self, refs: Refs) -> str:
        """The id of what calls are led by; empty where nothing was published."""
        sample = self._samples.by_slug.get(refs.slug)
        return refs.published or (sample.info.id if sample else "")

    def is_known(self, refs: Refs) -> bool:
        """Whether there is such a playbook."""
        return refs.revision > 0 or refs.slug in self._samples.by_slug

    async def version(self, workspace: str, version: str) -> Version:
        """A version by its id. Raises NotFound, also for another workspace's."""
        found = await self.find(workspace, version)
        if found is None:
            raise NotFound("there is no such version")
        return found

    async def find(self, workspace: str, version: str) -> Version | None:
        """A version by its id; none where there is no such one."""
        return self._samples.by_version.get(version) or await self._book.version(workspace, version)

    async def named(self, workspace: str, slug: str, name: str) -> Version:
        """A version of a slug by its id, its number, or as `published` or `draft`.

        Raises NotFound, and Conflict for `published` before anything was.
        """
        refs = await self.refs(workspace, slug)
        match name:
            case "published":
                id_ = self.published(refs)
                if not id_ and refs.revision:
                    raise Conflict("nothing of this playbook was published yet", reason="not-published")
            case "draft":
                id_ = refs.draft or self.published(refs)
            case _ if name.isdecimal():
                numbered = await self._book.numbered(workspace, slug, int(name[:9]))
                id_ = numbered.info.id if numbered else ""
            case _:
                id_ = name
        if not id_:
            raise NotFound("there is no such playbook, or it has no such version")
        return await self.version(workspace, id_)

    async def state(self, workspace: str, refs: Refs) -> StrategyState:
        """Where a slug stands. Raises NotFound for one that nothing was saved of."""
        published = self.published(refs)
        if not published and not refs.revision:
            raise NotFound("there is no such playbook")
        info = (await self.version(workspace, published)).info if published else None
        draft = (await self.version(workspace, refs.draft)).info if refs.draft else None
        known = info or draft
        return StrategyState(
            slug=refs.slug,
            title=known.title if known else refs.title,
            etag=etag(refs),
            published=info,
            draft=draft,
            conflicts=list(refs.conflicts),
            shipped=published in self._samples.by_version,
        )

    async def page(self, workspace: str, after: str, limit: int) -> list[Refs]:
        """At most `limit` slugs behind `after`, in their order."""
        kept = {refs.slug: refs for refs in await self._book.page(workspace, after, limit)}
        shipped = {slug: Refs(slug) for slug in self._samples.by_slug if slug > after}
        if len(kept) == limit:  # what lies behind them may be kept too
            last = max(kept)
            shipped = {slug: refs for slug, refs in shipped.items() if slug <= last}
        return sorted((shipped | kept).values(), key=lambda refs: refs.slug)[:limit]

    async def common(self, workspace: str, ours: VersionInfo, theirs: VersionInfo) -> Version:
        """The closest version that both were made of. Raises Conflict when there is none."""
        line = await self._ancestry(workspace, ours)
        for ancestor in await self._ancestry(workspace, theirs, until=set(line)):
            if ancestor in line:
                return await self.version(workspace, ancestor)
        raise Conflict("the two have no version in common: name the base", reason="no-common-version")

    async def _ancestry(self, workspace: str, info: VersionInfo, until: set[str] | None = None) -> Sequence[str]:
        """Ids of a version and of those that it was made of, the closest first; up to one of `until`."""
        found: dict[str, None] = {}
        waiting = [info.id]
        while waiting and len(found) < _MOST_ANCESTORS:
            id_ = waiting.pop(0)
            if id_ in found:
                continue
            found[id_] = None
            if until and id_ in until:
                break
            if version := await self.find(workspace, id_):
                waiting += version.info.parents
        return list(found)


def etag(refs: Refs) -> str:
    """The tag by which a change says what it has seen."""
    return f"r{refs.revision}"
