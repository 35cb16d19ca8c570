"""What is known of a caller, and how calls, corrections and forgetting change it: pure.

Calls may be worked over in any order, and again; what is known is the same in the end: of two things of one name the
later said stands, a correction stands over all that is said, and what was forgotten comes back only when it is said
anew.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from scriza.kernel.errors import NotFound
from scriza.kernel.ids import derived_id
from scriza.ports.memory import CallerMemory, Remembered

_MOST = 200
"""Things that are known of one caller; the oldest give way."""
_LONGEST = 500


class Dropped(msgspec.Struct, frozen=True):
    """Something that was forgotten on request: what was said of it until `at` does not count."""

    id: str
    at: datetime


class Lesson(msgspec.Struct, frozen=True):
    """What one call has taught of who made it."""

    call_id: str
    started_at: datetime
    summary: str
    outcome: str
    known: list[Remembered]


class KnownCaller(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known of a caller; `last_*` are of the call that began last."""

    calls: int = 0
    last_call_id: str = ""
    last_call_at: datetime | None = None
    last_summary: str = ""
    last_outcome: str = ""
    known: list[Remembered] = []
    dropped: list[Dropped] = []


def known_id(kind: str, name: str) -> str:
    """The same for the same thing: what is said anew replaces what was known."""
    return derived_id("mem", kind, name)


def told_of(known: KnownCaller) -> CallerMemory:
    """As it is told outside: promises behind facts, by name."""
    return CallerMemory(
        calls=known.calls,
        last_call_at=known.last_call_at,
        last_summary=known.last_summary,
        last_outcome=known.last_outcome,
        known=sorted(known.known, key=lambda item: (item.kind, item.name)),
    )


def taught(known: KnownCaller, lesson: Lesson, *, first: bool) -> KnownCaller:
    """With what a call has taught; `first` when it is the first time that this call teaches."""
    dropped = {each.id: each.at for each in known.dropped}
    items = {item.id: item for item in known.known}
    for item in lesson.known:
        forgotten = item.id in dropped and (item.said_at is None or item.said_at <= dropped[item.id])
        if not forgotten and (item.id not in items or _stands(item, over=items[item.id])):
            items[item.id] = msgspec.structs.replace(item, text=item.text[:_LONGEST])
    changed = msgspec.structs.replace(known, calls=known.calls + first, known=_most(items.values()))
    if (lesson.started_at, lesson.call_id) < (known.last_call_at or lesson.started_at, known.last_call_id):
        return changed
    return msgspec.structs.replace(
        changed,
        last_call_id=lesson.call_id,
        last_call_at=lesson.started_at,
        last_summary=lesson.summary,
        last_outcome=lesson.outcome,
    )


def corrected(known: KnownCaller, id_: str, text: str, at: datetime) -> KnownCaller:
    """With one thing put right. Raises NotFound."""
    before = next((item for item in known.known if item.id == id_), None)
    if before is None:
        raise NotFound("nothing of this id is known of the caller")
    right = Remembered(before.id, before.kind, before.name, text, said_at=at, corrected=True)
    return msgspec.structs.replace(known, known=[right if item.id == id_ else item for item in known.known])


def without(known: KnownCaller, id_: str, at: datetime) -> KnownCaller:
    """Without one thing, which calls that have been do not teach again; one that is not known changes nothing."""
    if all(item.id != id_ for item in known.known):
        return known
    dropped = [each for each in known.dropped if each.id != id_]
    return msgspec.structs.replace(
        known,
        known=[item for item in known.known if item.id != id_],
        dropped=[*dropped, Dropped(id_, at)][-_MOST:],
    )


def _stands(new: Remembered, *, over: Remembered) -> bool:
    return not over.corrected and _place(new) >= _place(over)


def _place(item: Remembered) -> tuple[float, str, int, str]:
    """Where it was said; the text decides where everything else is the same."""
    at = item.said_at.timestamp() if item.said_at else 0.0
    return at, item.call_id, item.turn, item.text


def _most(items: Iterable[Remembered]) -> list[Remembered]:
    """In a stable order, and no more than may be kept."""
    latest = sorted(items, key=lambda item: (item.corrected, _place(item)), reverse=True)[:_MOST]
    return sorted(latest, key=lambda item: item.id)
