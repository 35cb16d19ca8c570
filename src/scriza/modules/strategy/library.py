"""What a workspace has of playbooks, and what ships with Scriza, as one."""

from collections.abc import Iterable, Mapping, Sequence

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

    async def infos(self, workspace: str, versions: Iterable[str]) -> dict[str, VersionInfo]:
        """What these versions are, by their ids; those that are not there are left out."""
        wanted = set(versions)
        shipped = {id_: self._samples.by_version[id_].info for id_ in wanted & self._samples.by_version.keys()}
        return shipped | await self._book.infos(workspace, wanted - shipped.keys())

    async def state(self, workspace: str, refs: Refs) -> StrategyState:
        """Where a slug stands. Raises NotFound for one that nothing was saved of."""
        if not self.is_known(refs):
            raise NotFound("there is no such playbook")
        return (await self.states(workspace, [refs]))[0]

    async def states(self, workspace: str, page: Sequence[Refs]) -> list[StrategyState]:
        """Where slugs stand of which something is there."""
        infos = await self.infos(workspace, {id_ for refs in page for id_ in (refs.draft, self.published(refs)) if id_})
        return [self._state(refs, infos) for refs in page]

    def _state(self, refs: Refs, infos: Mapping[str, VersionInfo]) -> StrategyState:
        published, draft = infos.get(self.published(refs)), infos.get(refs.draft)
        known = published or draft
        return StrategyState(
            slug=refs.slug,
            title=known.title if known else refs.title,
            etag=etag(refs),
            published=published,
            draft=draft,
            conflicts=list(refs.conflicts),
            shipped=published is not None and published.id in self._samples.by_version,
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
        generation = {info.id: info}
        while generation and len(found) < _MOST_ANCESTORS:
            found |= dict.fromkeys(generation)
            if until and not until.isdisjoint(found):
                break
            parents = [parent for each in generation.values() for parent in each.parents if parent not in found]
            generation = await self.infos(workspace, parents)  # without those that a bundle did not bring
        return list(found)


def etag(refs: Refs) -> str:
    """The tag by which a change says what it has seen."""
    return f"r{refs.revision}"
