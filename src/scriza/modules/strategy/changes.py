"""Where two versions of a value differ, down to the field, the line and the key. Pure."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from msgspec import UNSET, inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.items import Key, keyed
from scriza.modules.strategy.order import moved
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Section


class Difference(NamedTuple):
    """One place. A value that is not there is UNSET; of an item that was moved the values are its indices."""

    old: str
    """The pointer into the earlier version; a text that is new is ``-`` there."""
    new: str
    """The pointer into the later one; a text that is gone has its old index there."""
    kind: Literal["added", "removed", "changed", "moved"]
    before: object
    after: object

    @property
    def pointer(self) -> str:
        """Into the later version, or into the earlier one for what was removed."""
        return self.old if self.kind == "removed" else self.new


def changes(
    type_: inspect.Type, before: object, after: object, old: str = "", new: str | None = None
) -> Iterator[Difference]:
    """What changed, in the order of the document. A record that is new or gone is one change, whatever is in it.

    `old` and `new` lead to the two values; `new` is the same as `old` when it is not given.
    """
    if before == after:
        return
    new = old if new is None else new
    before, after = (UNSET if value is None else value for value in (before, after))
    match before, after:
        case Section(), Section():
            for field in shape.struct(type(after)).fields:
                name, values = field.name, (getattr(before, field.name), getattr(after, field.name))
                yield from changes(field.type, *values, below(old, name), below(new, name))
        case dict(), dict():
            for key in dict.fromkeys([*before, *after]):
                known = before.get(key, UNSET), after.get(key, UNSET)
                yield from changes(values_of(type_), *known, below(old, key), below(new, key))
        case list(), list() if isinstance(type_, inspect.ListType):
            yield from _of_list(type_, before, after, old, new)
        case _:
            kind: Literal["added", "removed", "changed"] = "changed"
            if before is UNSET or after is UNSET:
                kind = "added" if before is UNSET else "removed"
            yield Difference(old, new, kind, before, after)


def values_of(type_: inspect.Type) -> inspect.Type:
    """The type of what stands under the keys of a mapping; for free JSON, free JSON."""
    kinds = type_.types if isinstance(type_, inspect.UnionType) else (type_,)
    return next((kind.value_type for kind in kinds if isinstance(kind, inspect.DictType)), type_)


def _of_list(
    type_: inspect.ListType, before: list[object], after: list[object], old: str, new: str
) -> Iterator[Difference]:
    was, now = keyed(type_, before, after)
    was_at, now_at = ({key: place for place, key in enumerate(known)} for known in (was, now))
    by_name = shape.record_of(type_) is not None
    elsewhere = moved(list(was), list(now))

    def pointers(key: Key) -> tuple[str, str]:
        if by_name:
            return below(old, key), below(new, key)
        return below(old, was_at.get(key, "-")), below(new, now_at.get(key, was_at.get(key, "-")))

    yield from (Difference(*pointers(key), "removed", item, UNSET) for key, item in was.items() if key not in now)
    for key, item in now.items():
        if key not in was:
            yield Difference(*pointers(key), "added", UNSET, item)
            continue
        if key in elsewhere:
            yield Difference(*pointers(key), "moved", was_at[key], now_at[key])
        yield from changes(type_.item_type, was[key], item, *pointers(key))
