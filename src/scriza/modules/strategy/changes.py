"""Where two versions of a value differ, down to the field, the line and the key. Pure."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from msgspec import UNSET, inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.items import Key, keyed
from scriza.modules.strategy.order import moved
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Section

Version = Literal["before", "after"]


class Difference(NamedTuple):
    """One place. A value that is not there is UNSET; of an item that was moved the values are its indices."""

    pointer: str
    kind: Literal["added", "removed", "changed", "moved"]
    before: object
    after: object


def changes(
    pointer: str, type_: inspect.Type, before: object, after: object, *, into: Version = "after"
) -> Iterator[Difference]:
    """What changed, in the order of the document. A record that is new or gone is one change, whatever is in it.

    Pointers lead `into` one of the versions: into the earlier one a text that is new is ``-``, into the later one a
    text that was removed goes by its index in the earlier.
    """
    if before == after:
        return
    before, after = (UNSET if value is None else value for value in (before, after))
    match before, after:
        case Section(), Section():
            for field in shape.struct(type(after)).fields:
                values = getattr(before, field.name), getattr(after, field.name)
                yield from changes(below(pointer, field.name), field.type, *values, into=into)
        case dict(), dict():
            for key in dict.fromkeys([*before, *after]):
                at, known = below(pointer, key), (before.get(key, UNSET), after.get(key, UNSET))
                yield from changes(at, values_of(type_), *known, into=into)
        case list(), list() if isinstance(type_, inspect.ListType):
            yield from _of_list(pointer, type_, before, after, into)
        case _:
            kind: Literal["added", "removed", "changed"] = "changed"
            if before is UNSET or after is UNSET:
                kind = "added" if before is UNSET else "removed"
            yield Difference(pointer, kind, before, after)


def values_of(type_: inspect.Type) -> inspect.Type:
    """The type of what stands under the keys of a mapping; for free JSON, free JSON."""
    kinds = type_.types if isinstance(type_, inspect.UnionType) else (type_,)
    return next((kind.value_type for kind in kinds if isinstance(kind, inspect.DictType)), type_)


def _of_list(
    pointer: str, type_: inspect.ListType, before: list[object], after: list[object], into: Version
) -> Iterator[Difference]:
    was, now = keyed(type_, before, after)
    was_at, now_at = ({key: place for place, key in enumerate(known)} for known in (was, now))
    place_of = was_at if into == "before" else was_at | now_at
    by_name = shape.record_of(type_) is not None
    elsewhere = moved(list(was), list(now))

    def at(key: Key) -> str:
        return below(pointer, key if by_name else place_of.get(key, "-"))

    yield from (Difference(at(key), "removed", item, UNSET) for key, item in was.items() if key not in now)
    for key, item in now.items():
        if key not in was:
            yield Difference(at(key), "added", UNSET, item)
            continue
        if key in elsewhere:
            yield Difference(at(key), "moved", was_at[key], now_at[key])
        yield from changes(at(key), type_.item_type, was[key], item, into=into)
