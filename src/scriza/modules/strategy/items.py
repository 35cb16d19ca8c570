"""How the items of a list are told apart, in two or three versions of it.

Records go by their id or name, exits by where they lead and on what, texts of a set by themselves. A spoken line has no
name: it is the same line as one of the base when it is equal to it or shares most of its words, so that a line that was
reworded is an edit, and not one that went and another that came.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec
from msgspec import inspect

from scriza.modules.strategy import shape
from scriza.ports.playbook import Exit

Key = str
"""An item's name within its list. That of a text is its index in the base; of a new one, ``+`` and what it says."""

REWORDED = 0.4
"""The similarity from which a line is a rewording of another."""
_Match = Callable[[Sequence[object], Sequence[object]], dict[int, int]]
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def keyed(type_: inspect.ListType, base: Sequence[object], *sides: Sequence[object]) -> list[dict[Key, object]]:
    """The items of the base and of each side by their keys, in their order."""
    record = shape.record_of(type_)
    if record is not None:
        name = _exit_name if record is Exit else attrgetter(shape.key_of(record))
        return [_by_name(items, name) for items in (base, *sides)]
    match = _like if shape.is_spoken(type_.item_type) else _equal
    return [{str(index): item for index, item in enumerate(base)}, *(_by_base(base, side, match) for side in sides)]


def is_new(key: Key) -> bool:
    """Whether it names a text that the base does not have."""
    return key.startswith("+")


def said(text: object) -> str:
    """A text, or one for each language, as one string, the same for the same."""
    return text if isinstance(text, str) else msgspec.json.encode(text, order="deterministic").decode()


def words(value: object) -> frozenset[str]:
    """The words of all the texts in a value, whatever it is, in lower case; ids and names are left out."""
    return frozenset(word for text in _texts(value) for word in _WORD.findall(text.casefold()))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """The Dice coefficient of two sets of words, 0 to 1."""
    total = len(one) + len(other)
    return 2 * len(one & other) / total if total else 1.0


def _by_name(items: Iterable[object], name: Callable[[object], str]) -> dict[Key, object]:
    found: dict[Key, object] = {}
    for item in items:
        key, again = name(item), 1
        while key in found:  # two exits may lead the same way, and a document that was not linted may repeat an id
            again += 1
            key = f"{name(item)}#{again}"
        found[key] = item
    return found


def _exit_name(item: object) -> str:
    assert isinstance(item, Exit)
    return f"{item.to}:{item.on}" if item.on else item.to


def _by_base(base: Sequence[object], side: Sequence[object], match: _Match) -> dict[Key, object]:
    same = match(base, side)
    return {str(same[index]) if index in same else f"+{said(item)}": item for index, item in enumerate(side)}


def _equal(base: Sequence[object], side: Sequence[object]) -> dict[int, int]:
    """Which item of the base each item of the side is equal to, by their indices; each is taken once."""
    places: dict[Key, list[int]] = {}
    for index, item in enumerate(base):
        places.setdefault(said(item), []).append(index)
    same: dict[int, int] = {}
    for index, item in enumerate(side):
        if found := places.get(said(item)):
            same[index] = found.pop(0)
    return same


def _like(base: Sequence[object], side: Sequence[object]) -> dict[int, int]:
    """The same, and of what is left the pairs that are most alike."""
    same = _equal(base, side)
    taken = set(same.values())
    gone = {index: words(item) for index, item in enumerate(base) if index not in taken}
    came = {index: words(item) for index, item in enumerate(side) if index not in same}
    alike = [(similarity(b, s), -abs(i - j), j, i) for i, b in gone.items() for j, s in came.items()]
    for likeness, _, mine, its in sorted(alike, reverse=True):
        if likeness >= REWORDED and mine not in same and its not in taken:
            same[mine] = its
            taken.add(its)
    return same


def _texts(value: object) -> Iterable[str]:
    match value:
        case str():
            yield value
        case msgspec.Struct():
            for field in value.__struct_fields__:
                if field not in {"id", "name"}:
                    yield from _texts(getattr(value, field))
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
