"""Documents of playbooks, and how they are read and written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from scriza.modules.strategy.books import Refs, Rendering, Version
from scriza.ports.playbook import Persona, Playbook
from scriza.ports.playbook_changes import Conflict
from scriza.ports.strategy import RefChange, VersionInfo

Session = AsyncClientSession
AlreadyThere = DuplicateKeyError
"""Raised by an insert of what is there already. In a transaction it is the transaction's end."""


class StrategyVersionDocument(Document):
    """A version: inserted once, never changed."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    version: str
    slug: str
    number: int
    title: str
    locale: str
    persona: str
    """JSON, as is the playbook: keys of theirs may be such that the store's documents do not allow."""
    created_at: datetime | None
    author: str
    message: str
    parents: list[str]
    errors: int
    warnings: int
    playbook: str

    class Settings:
        """Listed by slug, the newest first."""

        name = "strategies"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("slug", ASCENDING), ("number", DESCENDING)]),
        ]


class StrategyRefs(Document):
    """What a slug points at."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    slug: str
    title: str
    revision: int
    latest: int
    draft: str
    published: str
    conflicts: str
    unresolved: list[str]
    touched_by: str

    class Settings:
        """Paged by slug."""

        name = "strategy_refs"
        indexes = [IndexModel([("workspace", ASCENDING), ("slug", ASCENDING)], unique=True)]


class StrategyRefChange(Document):
    """A line of the log of what slugs pointed at: inserted once, never changed."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    slug: str
    revision: int
    ref: Literal["draft", "published"]
    act: str
    before: str
    after: str
    by: str
    at: datetime
    message: str

    class Settings:
        """Paged by revision, the newest first."""

        name = "strategy_log"
        indexes = [IndexModel([("workspace", ASCENDING), ("slug", ASCENDING), ("revision", DESCENDING)])]


class StrategyRendering(Document):
    """A version whose fixed lines are to be spoken; gone when they are."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    slug: str
    version: str
    urgent: bool
    due_at: datetime
    held_until: datetime | None
    holder: str
    tries: int
    reason: str

    class Settings:
        """Taken by urgency and time."""

        name = "strategy_renderings"
        indexes = [IndexModel([("urgent", DESCENDING), ("due_at", ASCENDING)])]


STRATEGY_DOCUMENTS: tuple[type[Document], ...] = (
    StrategyVersionDocument,
    StrategyRefs,
    StrategyRefChange,
    StrategyRendering,
)


# ---- versions ----------------------------------------------------------------------------------------------------


async def insert_new_versions(workspace: str, versions: Sequence[Version], session: Session) -> None:
    """Keep those that are not there yet. Raises AlreadyThere when another one does so in the same moment."""
    ids = [_key(workspace, version.info.id) for version in versions]
    known = {
        found["_id"]
        async for found in StrategyVersionDocument.get_pymongo_collection().find(
            {"_id": {"$in": ids}}, {"_id": True}, session=session
        )
    }
    new = [_stored_version(workspace, version) for id_, version in zip(ids, versions, strict=True) if id_ not in known]
    if new:
        await StrategyVersionDocument.insert_many(new, session=session)


async def find_version(which: dict[str, object]) -> Version | None:
    """The version of this description."""
    found = await StrategyVersionDocument.find_one(which)
    return None if found is None else Version(_info(found), _PLAYBOOK.decode(found.playbook))


async def list_versions(which: dict[str, object], limit: int = 0) -> list[VersionInfo]:
    """Versions of this description without their documents, the newest first."""
    found = StrategyVersionDocument.get_pymongo_collection().find(which, {"playbook": False})
    return [_info(_Row(**row)) async for row in found.sort("number", DESCENDING).limit(limit)]


# ---- refs and log ------------------------------------------------------------------------------------------------


async def move_refs(workspace: str, old: Refs, new: Refs, mark: str, session: Session) -> bool:
    """Put `new` in the place of `old`; False when it is not `old` any more.

    Raises AlreadyThere when another one begins the slug in the same moment.
    """
    fields = {
        **{name: getattr(new, name) for name in ("slug", "title", "revision", "latest", "draft", "published")},
        "conflicts": msgspec.json.encode(new.conflicts).decode(),
        "unresolved": list(new.unresolved),
        "touched_by": mark,
    }
    id_ = _key(workspace, new.slug)
    if not old.revision:
        await StrategyRefs(_id=id_, workspace=workspace, **fields).insert(session=session)
        return True
    which = {"_id": id_, "revision": old.revision}
    moved = await StrategyRefs.get_pymongo_collection().update_one(which, {"$set": fields}, session=session)
    return moved.matched_count == 1


async def bears(workspace: str, slug: str, mark: str) -> bool:
    """Whether the last change of what a slug points at left this mark."""
    return await StrategyRefs.find_one({"_id": _key(workspace, slug), "touched_by": mark}) is not None


async def read_refs(which: dict[str, object], limit: int) -> list[Refs]:
    """Those of this description, in the order of their slugs."""
    return [_refs(found) for found in await StrategyRefs.find(which).sort("+slug").limit(limit).to_list()]


async def insert_log(workspace: str, slug: str, changes: Sequence[RefChange], session: Session) -> None:
    """Add lines to a slug's log."""
    if changes:
        lines = [
            StrategyRefChange(
                _id=f"{_key(workspace, slug)}/{change.revision}/{change.ref}",
                workspace=workspace,
                slug=slug,
                **msgspec.structs.asdict(change),
            )
            for change in changes
        ]
        await StrategyRefChange.insert_many(lines, session=session)


async def read_log(workspace: str, slug: str, below: int, limit: int) -> list[RefChange]:
    """Lines of a slug's log, the newest first."""
    which = {"workspace": workspace, "slug": slug, "revision": {"$lt": below}}
    found = await StrategyRefChange.find(which).sort("-revision", "+ref").limit(limit).to_list()
    return [msgspec.convert({**line.model_dump(exclude=_OURS)}, RefChange) for line in found]


# ---- what is to be spoken ----------------------------------------------------------------------------------------


async def ask_rendering(wanted: Rendering, session: Session | None = None) -> None:
    """Put it on the list, or make the one there urgent and due. Raises AlreadyThere when another one just does."""
    renderings, id_ = StrategyRendering.get_pymongo_collection(), _key(wanted.workspace, wanted.version)
    sooner = {"$min": {"due_at": wanted.due_at}} | ({"$set": {"urgent": True}} if wanted.urgent else {})
    if not (await renderings.update_one({"_id": id_}, sooner, session=session)).matched_count:
        await StrategyRendering(_id=id_, **msgspec.structs.asdict(wanted)).insert(session=session)


async def due_renderings(now: datetime, limit: int) -> list[Rendering]:
    """Those that may be taken, the most urgent first."""
    free = {"due_at": {"$lte": now}, "$or": [{"held_until": None}, {"held_until": {"$lte": now}}]}
    found = await StrategyRendering.find(free).sort("-urgent", "+due_at").limit(limit).to_list()
    return [_rendering(each) for each in found]


async def take_rendering(seen: Rendering, holder: str, until: datetime) -> bool:
    """Make it the holder's, unless somebody else has taken it since it was seen."""
    which = {"_id": _key(seen.workspace, seen.version), "holder": seen.holder, "held_until": seen.held_until}
    taken = {"$set": {"holder": holder, "held_until": until}}
    return (await StrategyRendering.get_pymongo_collection().update_one(which, taken)).matched_count == 1


async def change_rendering(taken: Rendering, changes: Mapping[str, object]) -> bool:
    """Change it, if it is still the holder's."""
    which = {"_id": _key(taken.workspace, taken.version), "holder": taken.holder}
    return (await StrategyRendering.get_pymongo_collection().update_one(which, {"$set": changes})).matched_count == 1


async def drop_rendering(taken: Rendering) -> None:
    """Take it off the list, if it is still the holder's."""
    which = {"_id": _key(taken.workspace, taken.version), "holder": taken.holder}
    await StrategyRendering.get_pymongo_collection().delete_one(which)


async def find_rendering(workspace: str, version: str) -> Rendering | None:
    """A version's entry."""
    found = await StrategyRendering.find_one({"_id": _key(workspace, version)})
    return None if found is None else _rendering(found)


def _key(workspace: str, name: str) -> str:
    return f"{workspace}/{name}"


def _stored_version(workspace: str, version: Version) -> StrategyVersionDocument:
    fields = msgspec.structs.asdict(version.info)
    id_ = fields.pop("id")
    return StrategyVersionDocument(
        _id=_key(workspace, id_),
        workspace=workspace,
        version=id_,
        **(fields | {"persona": msgspec.json.encode(version.info.persona).decode()}),
        playbook=msgspec.json.encode(version.playbook, order="deterministic").decode(),
    )


def _info(found: "StrategyVersionDocument | _Row") -> VersionInfo:
    names = (name for name in VersionInfo.__struct_fields__ if name not in {"id", "persona"})
    return VersionInfo(
        id=found.version, persona=_PERSONA.decode(found.persona), **{name: getattr(found, name) for name in names}
    )


class _Row:
    """A version as the store has it, without its document."""

    version: str
    persona: str

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


def _refs(found: StrategyRefs) -> Refs:
    fields = found.model_dump(exclude={"id", "workspace", "touched_by", "revision_id", "conflicts", "unresolved"})
    return Refs(**fields, conflicts=_CONFLICTS.decode(found.conflicts), unresolved=tuple(found.unresolved))


def _rendering(found: StrategyRendering) -> Rendering:
    return Rendering(**found.model_dump(exclude={"id", "revision_id"}))


_OURS = {"id", "workspace", "slug", "revision_id"}
"""Fields of a line of the log that are not told outside."""
_PLAYBOOK = msgspec.json.Decoder(Playbook)
_PERSONA = msgspec.json.Decoder(Persona)
_CONFLICTS: msgspec.json.Decoder[tuple[Conflict, ...]] = msgspec.json.Decoder(tuple[Conflict, ...])
