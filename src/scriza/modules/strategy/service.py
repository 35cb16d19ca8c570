"""The `Strategy` port: versions of playbooks, what is draft and published, and what is asked about them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import ParamSpec, TypeVar

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Conflict, NotFound, TooLarge
from scriza.kernel.principal import current
from scriza.modules.strategy.books import Refs, StrategyBook, Version
from scriza.modules.strategy.bundles import check_whole, numbered, opened
from scriza.modules.strategy.canonical import version_id
from scriza.modules.strategy.diff import diff
from scriza.modules.strategy.edits import edited
from scriza.modules.strategy.ingest.free_text import draft_from_text
from scriza.modules.strategy.library import Library, etag
from scriza.modules.strategy.moving import Move, Mover
from scriza.modules.strategy.resolving import resolved
from scriza.modules.strategy.sources import Checked, checked, fits, has_text, kept, read, refusal, written_in
from scriza.modules.strategy.voice_assets import VoiceAssets
from scriza.modules.strategy.written import to_yaml
from scriza.ports.llm import Llm
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import Conflict as OpenConflict
from scriza.ports.playbook_changes import DiffReport
from scriza.ports.playbook_findings import Evidence
from scriza.ports.strategy import (
    Act,
    AskAssets,
    AssetQuery,
    AssetReport,
    Bundle,
    BundledVersion,
    BundleFile,
    DiffQuery,
    Edit,
    Imported,
    Lint,
    LintReport,
    MergedVersions,
    MergeVersions,
    PinnedPlaybook,
    PlaybookRef,
    Publish,
    RefLog,
    RollBack,
    Saved,
    SaveVersion,
    StrategyPage,
    StrategyQuery,
    StrategyState,
    StrategyVersion,
    VersionInfo,
    VersionPage,
    VersionQuery,
    Written,
)

P = ParamSpec("P")
T = TypeVar("T")

MOST_VERSIONS = 500
"""In a bundle."""
_AT_ONCE = 2
"""Sources that are read, or merged, in threads at the same time: each keeps a core busy."""
_NEWEST = 2**31
_MOST_UNRESOLVED = 1000
_LOOK_BACK = 1000
"""Changes of the log among which the one before the last is looked for."""


class StrategyService:
    """Implements Strategy for the workspace of the request.

    `default` is the slug of calls that name no playbook.
    """

    def __init__(
        self,
        book: StrategyBook,
        library: Library,
        assets: VoiceAssets,
        llm: Llm,
        *,
        default: str,
        clock: WallClock = utc_now,
    ) -> None:
        self._book, self._assets, self._llm = book, assets, llm
        self._library, self._mover = library, Mover(book, library, clock)
        self._default, self._clock = default, clock
        self._benches = asyncio.Semaphore(_AT_ONCE)

    # ---- reading ----------------------------------------------------------------------------------------------

    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        """See Strategy."""
        name, workspace = asked.name or self._default, _workspace()
        if name.startswith("sv_"):
            found = await self._library.version(workspace, name)
        else:
            found = await self._library.named(workspace, name, "published")
        return PinnedPlaybook(found.info.id, found.playbook)

    async def strategies(self, query: StrategyQuery) -> StrategyPage:
        """See Strategy."""
        found = await self._library.page(_workspace(), query.cursor, query.limit + 1)
        page = found[: query.limit]
        states = await self._library.states(_workspace(), page)
        return StrategyPage(states, next=page[-1].slug if len(found) > len(page) else "")

    async def strategy(self, slug: str) -> StrategyState:
        """See Strategy."""
        return await self._state(await self._refs(slug))

    async def versions(self, slug: str, query: VersionQuery) -> VersionPage:
        """See Strategy."""
        await self._state(await self._refs(slug))
        found = await self._book.versions(_workspace(), slug, _below(query), query.limit + 1)
        page = found[: query.limit]
        return VersionPage(page, next=str(page[-1].number) if len(found) > len(page) else "")

    async def version(self, slug: str, version: str) -> StrategyVersion:
        """See Strategy."""
        found = await self._version(slug, version)
        return StrategyVersion(found.info, found.playbook, found.info.id)

    async def written(self, slug: str, version: str) -> Written:
        """See Strategy."""
        found = await self._version(slug, version)
        return Written(found.info.id, await self._apart(to_yaml, found.playbook))

    async def log(self, slug: str, query: VersionQuery) -> RefLog:
        """See Strategy."""
        await self._state(await self._refs(slug))
        found = await self._book.log(_workspace(), slug, _below(query), query.limit + 1)
        page = found[: query.limit]
        return RefLog(page, next=str(page[-1].revision) if len(found) > len(page) else "")

    async def diff(self, slug: str, query: DiffQuery) -> DiffReport:
        """See Strategy."""
        before, after = await self._any(slug, query.before), await self._any(slug, query.after)
        return await self._apart(diff, before.playbook, after.playbook)

    async def lint(self, request: Lint) -> LintReport:
        """See Strategy."""
        if request.kind == "text":
            raise BadInput("free text is no playbook yet: save it, and a draft is made of it")
        if has_text(request):
            base = (await self._version(request.slug, "draft")).playbook if request.slug else None
            found = await self._apart(read, request, base, self._today)
        else:
            version = await self._version(request.slug, request.version or "draft")
            found = await self._apart(checked, version.playbook, self._today)
        return LintReport(found.sorted(), found.errors, found.warnings)

    # ---- saving -----------------------------------------------------------------------------------------------

    async def save(self, request: SaveVersion) -> Saved:
        """See Strategy."""
        base = await self._made_of(request.slug, request.base)
        provenance: list[Evidence] = []
        if request.kind == "text":
            draft = await draft_from_text(written_in(request), self._llm, name=request.name)
            if draft.playbook is None:
                return Saved(findings=draft.findings, provenance=draft.provenance, document=draft.document)
            provenance = draft.provenance
            found = await self._apart(partial(kept, draft, self._today, slug=request.slug))
        elif request.edits and base is not None and not has_text(request):
            found = await self._apart(_edited, base.playbook, request.edits, self._today)
        elif has_text(request) and not request.edits:
            playbook = base.playbook if base else None
            found = await self._apart(partial(read, request, playbook, self._today, slug=request.slug))
        else:
            raise BadInput("send a source, or edits of a version of the playbook that `slug` names")
        if base is None and found.playbook is not None:
            base = await self._made_of(found.playbook.slug, request.base)
        made_of = [base] if base else []
        info, refs, known = await self._save(found, "save", made_of, request.message, request.if_match)
        is_published = info.id == self._library.published(refs)
        return Saved(etag(refs), info, known, is_published, found.sorted(), provenance)

    async def merge(self, slug: str, request: MergeVersions) -> MergedVersions:
        """See Strategy."""
        ours, theirs = await self._any(slug, request.ours), await self._any(slug, request.theirs)
        if request.base:
            base = await self._any(slug, request.base)
        else:
            base = await self._library.common(_workspace(), ours.info, theirs.info)
        three = (base.playbook, ours.playbook, theirs.playbook)
        merged = await self._apart(resolved, *three, request.strategy, request.resolutions, self._today)
        if not request.save:
            return MergedVersions(merged, base.info.id)
        if merged.playbook is None:
            raise Conflict(merged.problem, reason="not-a-playbook")
        found = await self._apart(_renamed, merged.playbook, slug, self._today)
        conflicts = tuple(merged.conflicts)
        info, refs, _ = await self._save(found, "merge", [ours, theirs], request.message, request.if_match, conflicts)
        return MergedVersions(merged, base.info.id, etag(refs), info)

    async def _save(
        self,
        found: Checked,
        act: Act,
        made_of: Sequence[Version],
        message: str,
        if_match: str,
        conflicts: tuple[OpenConflict, ...] = (),
    ) -> tuple[VersionInfo, Refs, bool]:
        """Make the playbook the draft, unless it is what is published; a version unless it is one.

        Raises BadInput, TooLarge.
        """
        if (playbook := found.playbook) is None:
            raise refusal(found.findings)
        await self._apart(fits, playbook)
        id_, asked = await self._apart(version_id, playbook), current().principal
        known = await self._library.find(asked.workspace, id_)
        new = self._unnumbered(id_, playbook, found, made_of, message)

        def decide(refs: Refs) -> Move:
            number = refs.latest + (known is None)
            version = known or Version(msgspec.structs.replace(new, number=number), playbook)
            others = tuple(each for each in refs.unresolved if each != id_)
            unresolved = (*others, id_)[-_MOST_UNRESOLVED:] if conflicts else others
            draft = "" if id_ == self._library.published(refs) and not conflicts else id_
            moved = msgspec.structs.replace(refs, draft=draft, conflicts=conflicts, unresolved=unresolved)
            if moved == refs:
                return Move(refs)
            moved = msgspec.structs.replace(moved, title=playbook.title, latest=number)
            return Move(moved, (*made_of, version), spoken=version)

        refs = await self._mover.move(asked, playbook.slug, act, decide, message=message, if_match=if_match)
        return (known or await self._library.version(asked.workspace, id_)).info, refs, known is not None

    def _unnumbered(
        self, id_: str, playbook: Playbook, found: Checked, made_of: Sequence[Version], message: str
    ) -> VersionInfo:
        """What is told of a version that the caller makes; its number is known only as it becomes the draft."""
        return VersionInfo(
            id=id_,
            slug=playbook.slug,
            number=0,
            title=playbook.title,
            locale=playbook.locale,
            persona=playbook.persona,
            author=current().principal.subject,
            created_at=self._clock(),
            message=message,
            parents=[version.info.id for version in made_of if version.info.id != id_],
            errors=found.errors,
            warnings=found.warnings,
        )

    async def _made_of(self, slug: str, name: str) -> Version | None:
        """The version that a new one is made of: the one that is named, else the draft, else what is published.

        None for a playbook's first one, and while the slug is not known. Raises NotFound for a name of nothing.
        """
        if name and slug:
            return await self._any(slug, name)
        try:
            return await self._version(slug, "draft") if slug else None
        except NotFound:
            return None

    # ---- publishing -------------------------------------------------------------------------------------------

    async def publish(self, slug: str, request: Publish) -> StrategyState:
        """See Strategy."""
        if request.version == "draft" and not (await self._refs(slug)).draft:
            raise Conflict("there is no draft", reason="no-draft")
        version = await self._version(slug, request.version)
        return await self._publish(version, "publish", request.message, request.if_match)

    async def roll_back(self, slug: str, request: RollBack) -> StrategyState:
        """See Strategy."""
        name = request.version or await self._published_before(slug)
        return await self._publish(await self._version(slug, name), "roll_back", request.message, request.if_match)

    async def _publish(self, version: Version, act: Act, message: str, if_match: str) -> StrategyState:
        info = version.info
        if info.errors:
            told = f"version {info.number} has {info.errors} errors: lint tells them"
            raise Conflict(told, reason="has-errors")

        def decide(refs: Refs) -> Move:
            if info.id in refs.unresolved:
                told = f"version {info.number} has conflicts that are not resolved"
                raise Conflict(told, reason="has-conflicts")
            draft = "" if refs.draft == info.id else refs.draft
            moved = msgspec.structs.replace(refs, draft=draft, published=info.id)
            return Move(refs) if moved == refs else Move(moved, (version,), spoken=version)

        asked = current().principal
        refs = await self._mover.move(asked, info.slug, act, decide, message=message, if_match=if_match)
        return await self._state(refs)

    async def _published_before(self, slug: str) -> str:
        """The id of what was published before what is. Raises Conflict when that was the first."""
        refs = await self._refs(slug)
        now = self._library.published(refs)
        for change in await self._book.log(_workspace(), slug, _NEWEST, _LOOK_BACK):
            # What was rolled back to was published once, and it is what was there before that which is meant.
            if change.ref == "published" and change.act != "roll_back" and change.after == now and change.before:
                return change.before
        raise Conflict("nothing was published before this", reason="nothing-before")

    # ---- bundles ----------------------------------------------------------------------------------------------

    async def bundle(self, slug: str) -> Bundle:
        """See Strategy."""
        refs = await self._refs(slug)
        await self._state(refs)
        infos = await self._book.versions(_workspace(), slug, _NEWEST, MOST_VERSIONS + 1)
        if len(infos) > MOST_VERSIONS:
            raise TooLarge(f"a bundle has at most {MOST_VERSIONS} versions")
        ids = [info.id for info in infos]
        made_of = [parent for info in infos for parent in info.parents]
        published = self._library.published(refs)
        versions = []
        for id_ in dict.fromkeys(filter(None, [*reversed(ids), *made_of, refs.draft, published])):
            version = await self._library.find(_workspace(), id_)
            if version is not None and version.info.slug == slug:
                versions.append(BundledVersion(version.info, version.playbook))
        return Bundle("scriza.bundle/1", slug, versions, refs.draft, published)

    async def import_bundle(self, request: BundleFile) -> Imported:
        """See Strategy."""
        bundle = await self._apart(opened, request.file, self._today)
        ids = {id_ for kept in bundle.versions for id_ in (kept.info.id, *kept.info.parents)}
        there = await self._library.infos(_workspace(), ids)
        check_whole(bundle, there.__contains__)
        new = [kept for kept in bundle.versions if kept.info.id not in there]
        published = next((kept for kept in bundle.versions if kept.info.id == bundle.published), None)

        def decide(refs: Refs) -> Move:
            versions = list(numbered(new, refs.latest))
            moved = msgspec.structs.replace(refs, latest=refs.latest + len(versions))
            if refs.revision:
                return Move(moved, versions) if versions else Move(refs)
            title = bundle.versions[-1].info.title if bundle.versions else bundle.slug
            moved = msgspec.structs.replace(moved, title=title, draft=bundle.draft, published=bundle.published)
            return Move(moved, versions, Version(published.info, published.playbook) if published else None)

        asked = current().principal
        refs = await self._mover.move(asked, bundle.slug, "import", decide, message="", if_match="")
        return Imported(await self._state(refs), len(new), len(bundle.versions) - len(new), etag(refs))

    # ---- voice assets -----------------------------------------------------------------------------------------

    async def assets(self, slug: str, query: AssetQuery) -> AssetReport:
        """See Strategy."""
        version = await self._version(slug, query.version)
        return await self._assets.report(_workspace(), version.info.id, self._clock(), lines=query.lines)

    async def render(self, slug: str, request: AskAssets) -> AssetReport:
        """See Strategy."""
        version = await self._version(slug, request.version)
        await self._assets.ask(_workspace(), version.info, self._clock())
        return await self._assets.report(_workspace(), version.info.id, self._clock())

    # ---- what they share --------------------------------------------------------------------------------------

    async def _refs(self, slug: str) -> Refs:
        return await self._library.refs(_workspace(), slug)

    async def _state(self, refs: Refs) -> StrategyState:
        return await self._library.state(_workspace(), refs)

    async def _version(self, slug: str, name: str) -> Version:
        """A version of this playbook. Raises NotFound for one of another."""
        found = await self._library.named(_workspace(), slug, name)
        if found.info.slug != slug:
            raise NotFound("there is no such version of this playbook")
        return found

    async def _any(self, slug: str, name: str) -> Version:
        """A version of this playbook, or of another one by its id."""
        return await self._library.named(_workspace(), slug, name)

    @property
    def _today(self) -> date:
        return self._clock().date()

    async def _apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do in a thread what takes longer than a call's audio may wait."""
        async with self._benches:
            return await asyncio.to_thread(work, *args, **kwargs)


def _workspace() -> str:
    return current().principal.workspace


def _below(query: VersionQuery) -> int:
    return int(query.cursor) if query.cursor else _NEWEST


def _edited(playbook: Playbook, edits: Sequence[Edit], today: date) -> Checked:
    document = edited(playbook, edits)
    fits(document)
    return checked(document, today)


def _renamed(playbook: Playbook, slug: str, today: date) -> Checked:
    return checked(msgspec.structs.replace(playbook, slug=slug), today)
