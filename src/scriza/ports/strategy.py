"""Playbooks as source code: what leads a call, by its name or pinned to a version."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope
from scriza.ports.playbook import Persona, Playbook
from scriza.ports.playbook_changes import Conflict, DiffReport, Merged, MergeStrategy
from scriza.ports.playbook_findings import Evidence, Finding, SourceKind


class PlaybookRef(msgspec.Struct, frozen=True):
    """Names a playbook: a version's id (``sv_…``), or a slug for its published version; empty for the default one."""

    name: str = ""


class PinnedPlaybook(msgspec.Struct, frozen=True):
    """One version of a playbook. The same `version` is the same document for ever."""

    version: str
    """``sv_`` and the first 32 hex digits of the SHA-256 of its canonical JSON."""
    playbook: Playbook


# ---- versions ----------------------------------------------------------------------------------------------------
# A version is named by its id (`sv_…`), by its number, or as `published` or `draft`.

Name = Annotated[str, msgspec.Meta(max_length=64)]
"""Of a version: see above."""
Message = Annotated[str, msgspec.Meta(max_length=500)]
"""Why something was changed, for people."""
_Page = Annotated[int, msgspec.Meta(ge=1, le=200)]


class VersionInfo(msgspec.Struct, frozen=True):
    """A version of a playbook: what it is, who saved it and what it was made of. It never changes."""

    id: str
    slug: str
    number: int
    """Counts the versions of a slug from 1; 0 ships with Scriza."""
    title: str
    locale: str
    persona: Persona
    author: str
    created_at: datetime | None = None
    """None of one that ships with Scriza."""
    message: str = ""
    parents: list[str] = []
    """Ids of those that it was made of: two for a merge."""
    errors: int = 0
    """Of lint; a version with some is not published."""
    warnings: int = 0


class StrategyVersion(msgspec.Struct, frozen=True):
    """A version and its document."""

    info: VersionInfo
    playbook: Playbook
    etag: str
    """The version's id: it is the same for ever."""


class StrategyState(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a playbook stands. `etag` changes with every change of `draft` or `published`."""

    slug: str
    title: str
    etag: str
    published: VersionInfo | None = None
    """What calls are led by."""
    draft: VersionInfo | None = None
    """What is being worked on, where that is not what is published."""
    conflicts: list[Conflict] = []
    """What a merge has left open in the draft: it is not published before they are resolved."""
    shipped: bool = False
    """What is published comes with Scriza."""


class StrategyQuery(msgspec.Struct):
    """A page of the workspace's playbooks; `cursor` is the `next` of the page before."""

    limit: _Page = 50
    cursor: Name = ""


class StrategyPage(msgspec.Struct):
    """Playbooks in the order of their slugs. An empty `next` says that there are no more."""

    data: list[StrategyState]
    next: str = ""


class VersionQuery(msgspec.Struct):
    """A page of a playbook's versions; `cursor` is the `next` of the page before."""

    limit: _Page = 50
    cursor: Annotated[str, msgspec.Meta(pattern=r"^\d{0,9}$")] = ""


class VersionPage(msgspec.Struct):
    """Versions, the newest first."""

    data: list[VersionInfo]
    next: str = ""


class Source(msgspec.Struct, kw_only=True):
    """A playbook as somebody has written it: in `text`, or as a `file`'s bytes in whatever encoding."""

    text: str = ""
    file: bytes = b""
    """May also be the body itself, with the other fields in the query."""
    kind: SourceKind | Literal["", "text"] = ""
    """Empty goes by the ending of `name`, else by what it looks like; `text` is free text, of which a model makes a
    draft."""
    name: Annotated[str, msgspec.Meta(max_length=255)] = ""
    """The file's name, for findings."""


class Edit(msgspec.Struct, frozen=True):
    """One change of a document: what stands at `pointer` is replaced, or removed where there is no `value`.

    Pointers are those of a diff: records go by their id. A record that is new is put at ``/faqs/-`` or under its id.
    """

    pointer: Annotated[str, msgspec.Meta(max_length=1000)]
    value: object | UnsetType = UNSET


class SaveVersion(Source, kw_only=True):
    """A new version: of a source, or of a version (`base`) with edits, or with a CSV of FAQs or objections."""

    base: Name = ""
    """The version that it was made of; empty takes the draft, else what is published."""
    slug: Annotated[str, msgspec.Meta(pattern=r"^([a-z][a-z0-9_-]{0,63})?$")] = ""
    """In the place of the source's own; needed with `edits` and CSV."""
    edits: Annotated[list[Edit], msgspec.Meta(max_length=1000)] = []
    message: Message = ""
    if_match: Name = ""


class Saved(msgspec.Struct, omit_defaults=True):
    """What came of it. `version` is the draft; absent when free text did not make a whole playbook."""

    etag: str = ""
    version: VersionInfo | None = None
    known: bool = False
    """The same document was a version already."""
    published: bool = False
    """It is what calls are led by already, so that there is no draft."""
    findings: list[Finding] = []
    provenance: list[Evidence] = []
    document: dict[str, object] = {}
    """What free text has made, where that is not a whole playbook: to be completed by a person."""


class Lint(Source, kw_only=True):
    """Asks what there is to say about a source, or about a version of `slug`."""

    slug: Name = ""
    version: Name = ""


class LintReport(msgspec.Struct):
    """Everything that was found, the gravest first."""

    findings: list[Finding]
    errors: int
    warnings: int


class DiffQuery(msgspec.Struct):
    """Two versions; those of other playbooks by their ids."""

    before: Name = "published"
    after: Name = "draft"


class Resolution(msgspec.Struct, frozen=True):
    """Decides a conflict: for a side, for both, or for a value of its own (`value`; absent removes what is there)."""

    pointer: str
    take: Literal["ours", "theirs", "union", "value"]
    value: object | UnsetType = UNSET


class MergeVersions(msgspec.Struct):
    """Merges `theirs` into `ours`."""

    ours: Name
    theirs: Name
    base: Name = ""
    """What both were made of; empty finds the closest version that both come from."""
    strategy: MergeStrategy = "manual"
    resolutions: Annotated[list[Resolution], msgspec.Meta(max_length=1000)] = []
    save: bool = False
    """Save what comes of it as the draft; with conflicts left it is not published before they are resolved."""
    message: Message = ""
    if_match: Name = ""


class MergedVersions(msgspec.Struct, omit_defaults=True):
    """What came of a merge."""

    merged: Merged
    base: str
    """The id of the version that was taken for what both were made of."""
    etag: str = ""
    version: VersionInfo | None = None
    """The draft, where it was saved."""


class Publish(msgspec.Struct):
    """Makes a version the one that calls are led by."""

    version: Name = "draft"
    message: Message = ""
    if_match: Name = ""


class RollBack(msgspec.Struct):
    """Publishes what was published before; `version` names which, and empty takes the one before this."""

    version: Name = ""
    message: Message = ""
    if_match: Name = ""


Ref = Literal["draft", "published"]
Act = Literal["save", "merge", "publish", "roll_back", "import"]


class RefChange(msgspec.Struct, frozen=True):
    """One line of the log: which reference was moved, by whom, from which version to which."""

    revision: int
    ref: Ref
    act: Act
    before: str
    """Empty where there was none."""
    after: str
    by: str
    at: datetime
    message: str = ""


class RefLog(msgspec.Struct):
    """What was changed, the newest first."""

    data: list[RefChange]
    next: str = ""


class Written(msgspec.Struct):
    """A version as people read and edit it."""

    version: str
    yaml: str


class BundledVersion(msgspec.Struct, frozen=True):
    """A version in a bundle, with the document that its id is the hash of."""

    info: VersionInfo
    playbook: Playbook


class Bundle(msgspec.Struct):
    """All of a playbook: its versions with their documents, and what is draft and published."""

    schema: Literal["scriza.bundle/1"]
    slug: str
    versions: Annotated[list[BundledVersion], msgspec.Meta(max_length=500)]
    draft: str = ""
    published: str = ""


class BundleFile(msgspec.Struct):
    """A `Bundle` as JSON."""

    file: bytes
    """May also be the body itself."""


class Imported(msgspec.Struct):
    """What a bundle has brought. Into a playbook that is here already it brings versions alone."""

    state: StrategyState
    added: int
    known: int
    etag: str


# ---- voice assets ------------------------------------------------------------------------------------------------


class AssetQuery(msgspec.Struct):
    """Asks about a version's fixed lines."""

    version: Name = "published"
    lines: bool = False
    """Tell of each line as well."""


class AssetLine(msgspec.Struct, omit_defaults=True):
    """A fixed line, or a part of one, as it is spoken; `line` is what the agent calls it."""

    line: str
    text: str
    locale: str
    ready: bool
    bytes: int = 0


class SkippedLine(msgspec.Struct):
    """A line that can only be spoken in the call."""

    line: str
    locale: str
    reason: str


State = Literal["ready", "rendering", "queued", "missing"]


class AssetReport(msgspec.Struct, omit_defaults=True):
    """Which of a version's fixed lines are spoken already, so that a call finds them."""

    version: str
    assets: int
    ready: int
    missing: int
    bytes: int
    duration_seconds: float
    cost_micro_usd: int | None
    """Of those that are missing, by estimate; null when the voice has no known price."""
    state: State
    """`queued` is taken up at `next_try`; `missing` is not asked for."""
    tries: int = 0
    next_try: datetime | None = None
    reason: str = ""
    """Why the last try did not bring all of them."""
    skipped: list[SkippedLine] = []
    lines: list[AssetLine] = []


class AskAssets(msgspec.Struct):
    """Has a version's fixed lines spoken."""

    version: Name = "published"


_API = "/api/v1/strategies"


class Strategy(Protocol):
    """Keeps the team's playbooks, each in versions that never change.

    A version belongs to a workspace and is not found in another one. What moves is which one is the draft, and which
    one is published: such a change is made as a whole or not at all, and with `if_match` only if nobody was first
    (PreconditionFailed).
    """

    @operation("POST /v1/playbook", idempotent=True)
    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        """The playbook to lead a call by.

        Raises NotFound for what is neither a version nor a playbook, Conflict for one that was never published.
        """
        ...

    @operation(f"POST {_API}", binary="file", timeout=60, versioned=True, keyed=True, scope=Scope.PLAYBOOKS_WRITE)
    async def save(self, request: SaveVersion) -> Saved:
        """Save a new version as the draft. What is wrong with the source is told as BadInput, and nothing is saved."""
        ...

    @operation(f"GET {_API}", scope=Scope.PLAYBOOKS_READ)
    async def strategies(self, query: StrategyQuery) -> StrategyPage:
        """The workspace's playbooks, and those that come with Scriza."""
        ...

    @operation(f"POST {_API}/lint", binary="file", timeout=60, idempotent=True, scope=Scope.PLAYBOOKS_READ)
    async def lint(self, request: Lint) -> LintReport:
        """What there is to say about a playbook; nothing is saved."""
        ...

    @operation(f"POST {_API}/bundles", binary="file", timeout=60, versioned=True, scope=Scope.PLAYBOOKS_PUBLISH)
    async def import_bundle(self, request: BundleFile) -> Imported:
        """Bring in a bundle. Raises BadInput for a document that is not what its id says, or that lacks its parents."""
        ...

    @operation(f"GET {_API}/{{slug}}", versioned=True, scope=Scope.PLAYBOOKS_READ)
    async def strategy(self, slug: str) -> StrategyState:
        """Where a playbook stands."""
        ...

    @operation(f"GET {_API}/{{slug}}/versions", scope=Scope.PLAYBOOKS_READ)
    async def versions(self, slug: str, query: VersionQuery) -> VersionPage:
        """A playbook's versions."""
        ...

    @operation(f"GET {_API}/{{slug}}/versions/{{version}}", versioned=True, scope=Scope.PLAYBOOKS_READ)
    async def version(self, slug: str, version: str) -> StrategyVersion:
        """One version with its document. Raises Conflict for `published` before anything was."""
        ...

    @operation(f"GET {_API}/{{slug}}/versions/{{version}}/yaml", scope=Scope.PLAYBOOKS_READ)
    async def written(self, slug: str, version: str) -> Written:
        """One version as people read and edit it."""
        ...

    @operation(f"GET {_API}/{{slug}}/diff", timeout=30, scope=Scope.PLAYBOOKS_READ)
    async def diff(self, slug: str, query: DiffQuery) -> DiffReport:
        """How two versions differ, by pointers and in words."""
        ...

    @operation(f"POST {_API}/{{slug}}/merge", timeout=30, versioned=True, scope=Scope.PLAYBOOKS_WRITE)
    async def merge(self, slug: str, request: MergeVersions) -> MergedVersions:
        """Merge two versions. Raises Conflict when they have nothing in common and no `base` is named."""
        ...

    @operation(f"POST {_API}/{{slug}}/publish", versioned=True, keyed=True, scope=Scope.PLAYBOOKS_PUBLISH)
    async def publish(self, slug: str, request: Publish) -> StrategyState:
        """Lead calls by a version from now on. Raises Conflict for one with errors of lint or open conflicts.

        Calls that are under way keep theirs. Fixed lines that are not spoken yet are spoken afterwards.
        """
        ...

    @operation(f"POST {_API}/{{slug}}/rollback", versioned=True, keyed=True, scope=Scope.PLAYBOOKS_PUBLISH)
    async def roll_back(self, slug: str, request: RollBack) -> StrategyState:
        """Publish an earlier version again. Raises Conflict when there is none."""
        ...

    @operation(f"GET {_API}/{{slug}}/log", scope=Scope.PLAYBOOKS_READ)
    async def log(self, slug: str, query: VersionQuery) -> RefLog:
        """Who has saved, published and rolled back what."""
        ...

    @operation(f"GET {_API}/{{slug}}/assets", timeout=60, scope=Scope.PLAYBOOKS_READ)
    async def assets(self, slug: str, query: AssetQuery) -> AssetReport:
        """Which fixed lines of a version are spoken already, and what the others would cost."""
        ...

    @operation(f"POST {_API}/{{slug}}/assets", timeout=60, scope=Scope.PLAYBOOKS_WRITE)
    async def render(self, slug: str, request: AskAssets) -> AssetReport:
        """Have those fixed lines of a version spoken that are not. It is under way when this returns."""
        ...

    @operation(f"GET {_API}/{{slug}}/bundle", timeout=60, scope=Scope.PLAYBOOKS_READ)
    async def bundle(self, slug: str) -> Bundle:
        """All of a playbook, to be kept or brought elsewhere."""
        ...
