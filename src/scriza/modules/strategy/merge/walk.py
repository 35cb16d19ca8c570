"""The merge itself: down three documents at once, by the types of their fields. Pure.

Wherever two of the three are the same there is nothing to decide. Where all three differ the walk goes a level deeper:
records by field, mappings by key, lists by item, texts by sentence. What cannot be taken apart further is a conflict.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET, inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.changes import changes, values_of
from scriza.modules.strategy.items import Key, is_new, keyed, said
from scriza.modules.strategy.merge.advice import advice
from scriza.modules.strategy.merge.sentences import merged_text
from scriza.modules.strategy.order import merged_order, moved, with_added
from scriza.modules.strategy.pointers import below
from scriza.modules.strategy.renames import renames
from scriza.ports.playbook import Section
from scriza.ports.playbook_changes import AutoMerge, Choice, Conflict, Rename, Side

_Kind = Literal["value", "text", "delete_edit", "add_add", "order"]
_Keyed = Mapping[Key, object]


class Own(NamedTuple):
    """Decides a conflict for a value that neither side has; UNSET for nothing at all."""

    value: object


class Walk:
    """One merge, and what it has to tell. A value that is not there is UNSET."""

    def __init__(self, choose: Callable[[str], Choice | Own | None]) -> None:
        """`choose` says what stands at a pointer in conflict; None leaves the conflict open, with ours there."""
        self.open: list[Conflict] = []
        self.resolved: list[Conflict] = []
        self.auto: list[AutoMerge] = []
        self.renames: list[Rename] = []
        self._choose = choose
        self._renamed: dict[str, Key] = {}

    def value(self, pointer: str, type_: inspect.Type, base: object, ours: object, theirs: object) -> object:
        """What comes of three values; UNSET when nothing is to stand there."""
        if ours == theirs:
            return self._taken(pointer, type_, base, ours, "both")
        if theirs == base:
            return self._taken(pointer, type_, base, ours, "ours")
        if ours == base:
            return self._taken(pointer, type_, base, theirs, "theirs")
        match ours, theirs:
            case Section(), Section():
                return self._record(pointer, base, ours, theirs)
            case dict(), dict():
                return self._mapping(pointer, values_of(type_), _or_empty(base), ours, theirs)
            case list(), list() if isinstance(type_, inspect.ListType):
                return self._list(pointer, type_, base if isinstance(base, list) else [], ours, theirs)
        text = self._text(pointer, base, ours, theirs)
        return self._conflict(pointer, base, ours, theirs) if text is None else text

    def _taken(
        self, pointer: str, type_: inspect.Type, base: object, value: object, side: Literal["ours", "theirs", "both"]
    ) -> object:
        self.auto += [AutoMerge(found.old, side, found.kind) for found in changes(type_, base, value, pointer)]
        return value

    def _record(self, pointer: str, base: object, ours: Section, theirs: Section) -> Section:
        """By field; of a record that both have added against the defaults of its fields."""
        merged = {}
        for field in shape.struct(type(ours)).fields:
            before = getattr(base, field.name) if isinstance(base, Section) else _default(field)
            mine, its = getattr(ours, field.name), getattr(theirs, field.name)
            if before == mine == its:
                continue
            value = self.value(below(pointer, field.name), field.type, before, mine, its)
            merged[field.name] = None if value is UNSET else value
        return msgspec.structs.replace(ours, **merged)

    def _mapping(
        self, pointer: str, type_: inspect.Type, base: _Keyed, ours: _Keyed, theirs: _Keyed
    ) -> dict[Key, object]:
        merged = {}
        for key in dict.fromkeys([*base, *ours, *theirs]):
            before, mine, its = base.get(key, UNSET), ours.get(key, UNSET), theirs.get(key, UNSET)
            same = before == mine == its
            value = mine if same else self.value(below(pointer, key), type_, before, mine, its)
            if value is not UNSET:
                merged[key] = value
        return merged

    def _list(
        self, pointer: str, type_: inspect.ListType, base: list[object], ours: list[object], theirs: list[object]
    ) -> list[object]:
        sides = keyed(type_, base, ours, theirs)
        name = pointer.rpartition("/")[2]
        if shape.record_of(type_) is None:
            texts = self._texts(pointer, type_, *sides)
            is_set = name in shape.SETS
            in_order = texts if is_set else self._order(pointer, texts, *sides, names=sides[0])
            unique = {said(text): text for key in in_order for text in texts[key]}
            return [unique[words] for words in (sorted(unique) if is_set else unique)]
        self._note_renames(pointer, *sides)
        records = self._mapping(pointer, type_.item_type, *sides)
        if name not in shape.ORDERED and all(list(side) == sorted(side) for side in sides):
            return [records[key] for key in sorted(records)]
        ids = {key: key for key in records}
        return [records[key] for key in self._order(pointer, records, *sides, names=ids)]

    def _texts(
        self, pointer: str, type_: inspect.ListType, base: _Keyed, ours: _Keyed, theirs: _Keyed
    ) -> dict[Key, list[object]]:
        """The texts by their keys; two of them where both rewordings of a line are to stand."""
        merged = {}
        for key in dict.fromkeys([*base, *ours, *theirs]):
            if is_new(key):
                at, sides = below(pointer, "-"), (key in ours, key in theirs)
                self.auto.append(AutoMerge(at, "both" if all(sides) else "ours" if sides[0] else "theirs", "added"))
                merged[key] = [ours.get(key, theirs.get(key))]
                continue
            was, mine, its = (known.get(key, UNSET) for known in (base, ours, theirs))
            texts = self._line(below(pointer, key), type_.item_type, was, mine, its)
            if texts:
                merged[key] = texts
        return merged

    def _line(self, pointer: str, type_: inspect.Type, base: object, ours: object, theirs: object) -> list[object]:
        texts = all(isinstance(text, str) for text in (base, ours, theirs))
        if not texts or ours in (base, theirs) or theirs == base:
            value = self.value(pointer, type_, base, ours, theirs)
            return [] if value is UNSET else [value]
        text = self._text(pointer, base, ours, theirs)
        if text is not None:
            return [text]
        chosen = self._conflict(pointer, base, ours, theirs, line=True)
        if self._choose(pointer) == "union":
            return [ours, theirs]
        return [] if chosen is UNSET else [chosen]

    def _order(
        self, pointer: str, kept: Collection[Key], base: _Keyed, ours: _Keyed, theirs: _Keyed, *, names: _Keyed
    ) -> list[Key]:
        """The keys that are kept, in their merged order; a conflict tells of them by their `names`."""
        common = {key for key in base if key in ours and key in theirs and key in kept}
        was, mine, its = ([key for key in side if key in common] for side in (base, ours, theirs))
        order = merged_order(was, mine, its)
        if order is None:
            told = ([names[key] for key in side] for side in (was, mine, its))
            chosen = self._conflict(pointer, *told, kind="order")
            key_of = {said(names[key]): key for key in was}
            named = [key_of.get(said(name), "") for name in chosen] if isinstance(chosen, list) else []
            order = list(dict.fromkeys(key for key in [*named, *was] if key))
        else:
            self._note_moves(pointer, moved(was, mine), moved(was, its))
        return with_added(order, (list(ours), list(theirs)), kept)

    def _note_moves(self, pointer: str, ours: set[Key], theirs: set[Key]) -> None:
        for key in sorted(ours | theirs):
            side: Side | Literal["both"] = "ours" if key not in theirs else "theirs" if key not in ours else "both"
            self.auto.append(AutoMerge(below(pointer, key), side, "moved"))

    def _text(self, pointer: str, base: object, ours: object, theirs: object) -> str | None:
        """A text in which the sides changed different sentences; None for all else."""
        if not (isinstance(base, str) and isinstance(ours, str) and isinstance(theirs, str)):
            return None
        text = merged_text(base, ours, theirs) if base and ours and theirs else None
        if text is not None:
            self.auto.append(AutoMerge(pointer, "both", "changed"))
        return text

    def _note_renames(self, pointer: str, base: _Keyed, ours: _Keyed, theirs: _Keyed) -> None:
        sides: tuple[tuple[Side, _Keyed], ...] = (("ours", ours), ("theirs", theirs))
        for side, known in sides:
            for old, new, likeness in renames(base, known):
                self.renames.append(Rename(below(pointer, old), below(pointer, new), side, round(likeness, 2)))
                self._renamed[below(pointer, old)] = new

    def _conflict(
        self, pointer: str, base: object, ours: object, theirs: object, *, kind: _Kind | None = None, line: bool = False
    ) -> object:
        """Tells of the conflict, and returns what stands in its place."""
        kind = kind or _kind(base, ours, theirs)
        text, take = advice(kind, ours, theirs, line=line, renamed_to=self._renamed.get(pointer, ""))
        if take == "union" and kind == "delete_edit":
            take = "theirs" if _absent(ours) else "ours"
        choice = self._choose(pointer)
        conflict = Conflict(pointer, kind, _told(base), _told(ours), _told(theirs), text, take)
        (self.open if choice is None else self.resolved).append(conflict)
        if isinstance(choice, Own):
            return choice.value
        return theirs if choice == "theirs" or (choice == "union" and _absent(ours)) else ours


def _kind(base: object, ours: object, theirs: object) -> _Kind:
    if _absent(base):
        return "add_add"
    if _absent(ours) or _absent(theirs):
        return "delete_edit"
    texts = [value for value in (base, ours, theirs) if isinstance(value, str)]
    return "text" if len(texts) == 3 and any(" " in text for text in texts) else "value"


def _absent(value: object) -> bool:
    return value is UNSET or value is None or value == ""


def _told(value: object) -> object:
    return UNSET if value is None or value is UNSET else msgspec.to_builtins(value)


def _default(field: inspect.Field) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return UNSET if field.default is msgspec.NODEFAULT else field.default


def _or_empty(value: object) -> dict[Key, object]:
    return value if isinstance(value, dict) else {}
