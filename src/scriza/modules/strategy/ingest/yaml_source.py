"""YAML, read from the parser's events: nothing is constructed that was not bounded before.

Plain values mean what they mean in YAML 1.2: `yes`, `no` and `on` are words, a day is a text, and a key is always a
text. Tags are refused, an alias stands for what it names, and a key that is there twice is told.
"""

import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import TypeVar

import yaml

from scriza.modules.strategy.ingest import tree
from scriza.modules.strategy.ingest.tree import Tree, Unreadable, whole_number
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook_findings import Place

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of libyaml where PyYAML was built with it, ten times faster."""
_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset({"!", *(f"{_STANDARD}{kind}" for kind in ("str", "seq", "map"))})
"""Those that change nothing."""
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_T = TypeVar("_T")


def is_plain_value(text: str) -> bool:
    """Whether a plain scalar would be read as something else than a text."""
    return any(pattern.fullmatch(text) for pattern in (_NULL, _BOOL, _INT, _FLOAT, _ENDLESS))


def read_yaml(text: str, first_line: int = 1) -> Tree:
    """A YAML document with the places of its values. Raises Unreadable where it is none."""
    return _Reader(text, first_line).tree


class _Reader:
    """Builds the tree from events; `_size` counts what it expands to."""

    def __init__(self, text: str, first_line: int) -> None:
        self.tree = Tree()
        self._first_line = first_line
        self._anchors: dict[str, tuple[object, int]] = {}
        self._open: set[str] = set()
        self._size = 0
        self._events = self._parsed(text)
        self._expect(yaml.StreamStartEvent)
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise Unreadable("empty", "there is nothing in it", "write a playbook", Place(first_line))
        first = next(self._events)
        if not isinstance(first, yaml.MappingStartEvent):
            fix = "begin with `schema: scriza.playbook/1`, then `title:`, `goal:` and the other fields"
            raise Unreadable("not-a-document", "it is no set of fields", fix, self._place(first))
        document = self._node(first, "", 0)
        assert isinstance(document, dict)
        self.tree.document = document
        self._expect(yaml.DocumentEndEvent)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            fix = "keep one playbook a file: delete the line `---` or what follows it"
            raise Unreadable("several-documents", "a second document begins here", fix, self._place(after))

    def _parsed(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = Place(mark.line + self._first_line, mark.column + 1) if mark else None
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
            raise Unreadable("yaml-syntax", f"this is not YAML: {problem}", _fix(problem, text, mark), place) from None

    def _expect(self, kind: type[yaml.Event]) -> None:
        event = next(self._events)
        assert isinstance(event, kind)

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(mark.line + self._first_line, mark.column + 1) if mark else Place(self._first_line)

    def _node(self, event: yaml.Event, pointer: str, depth: int) -> object:
        place = self._place(event)
        if depth > tree.MOST_DEPTH:
            raise tree.too_deep(place)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        self._grow(1, place)
        self.tree.places.setdefault(pointer, place)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        tag = event.tag
        if tag is not None and tag not in _TAGS:
            shown = tag.replace(_STANDARD, "!!")
            raise Unreadable("yaml-tag", f"the tag {shown} is not taken", "write a plain value without a tag", place)
        before = self._size
        match event:
            case yaml.ScalarEvent():
                return self._anchored(event.anchor, before, lambda: self._scalar(event, place))
            case yaml.SequenceStartEvent():
                return self._anchored(event.anchor, before, lambda: self._sequence(pointer, depth))
            case _:
                return self._anchored(event.anchor, before, lambda: self._mapping(pointer, depth))

    def _anchored(self, anchor: str | None, before: int, make: Callable[[], _T]) -> _T:
        if anchor is None:
            return make()
        self._open.add(anchor)
        value = make()
        self._open.discard(anchor)
        self._anchors[anchor] = value, self._size - before + 1
        return value

    def _alias(self, event: yaml.AliasEvent, place: Place) -> object:
        name = event.anchor
        if name in self._open:
            raise Unreadable("yaml-alias", f"*{name} stands within itself", "write it out once more", place)
        if name not in self._anchors:
            raise Unreadable("yaml-alias", f"there is no &{name} before this", f"mark what is meant as &{name}", place)
        value, size = self._anchors[name]
        self._grow(size, place)
        return value

    def _grow(self, values: int, place: Place) -> None:
        self._size += values
        if self._size > tree.MOST_VALUES:
            raise tree.too_many_values(place)

    def _sequence(self, pointer: str, depth: int) -> list[object]:
        items: list[object] = []
        for index in count():
            event = next(self._events)
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = below(pointer, index)
            self.tree.places[here] = self._place(event)
            items.append(self._node(event, here, depth + 1))
        return items

    def _mapping(self, pointer: str, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place = self._place(event)
            key = self._key(event, place)
            here = below(pointer, key)
            twice = key in found
            if twice:
                first = self.tree.places[here]
                message = f"{key!r} is there twice, first in line {first.line}"
                self.tree.tell("error", "duplicate-key", message, "delete one, or join the two", place, here)
            else:
                self.tree.places[here] = place
            value = self._node(next(self._events), f"{here}#again" if twice else here, depth + 1)
            found.setdefault(key, value)
        return found

    def _key(self, event: yaml.Event, place: Place) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            fix = "write a plain text before the colon"
            raise Unreadable("key-not-text", "a key is a text, and this is none", fix, place)
        if event.value == "<<" and event.implicit[0]:
            fix = "write the fields out, or use an alias for the whole value"
            raise Unreadable("yaml-merge", "`<<` is not taken", fix, place)
        self._grow(1, place)
        return str(event.value)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> object:
        text = str(event.value)
        plain, _ = event.implicit
        if not plain or event.tag is not None:
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text):
            return whole_number(text, place) if not text.startswith("+") else text
        if _ENDLESS.fullmatch(text):
            fix = "write a number, or the word in quotes"
            raise Unreadable("not-a-number", f"{text} is no number that can be used", fix, place)
        if _FLOAT.fullmatch(text):
            return _finite(float(text), text, place)
        return text


def _finite(number: float, text: str, place: Place) -> float:
    if number in (float("inf"), float("-inf")):
        raise Unreadable("not-a-number", f"{text} is too large", "write a smaller number", place)
    return number


def _fix(problem: str, text: str, mark: "yaml.Mark | None") -> str:
    """What most often is the matter where libyaml complains."""
    lines = text.split("\n")
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "\t" in line or "\\t" in problem:
        return "indent with spaces: there is a tab in this line"
    if "mapping values are not allowed" in problem:
        return "put a text that holds a colon in quotes"
    if any(words in problem for words in ("block mapping", "block collection", "'-' indicator", "<block end>")):
        return "check the indentation: what belongs together begins in the same column"
    if "cannot start any token" in problem:
        return "put a text that begins with @, `, % or the like in quotes"
    return "check quotes and brackets here and in the line before"
