"""JSON (RFC 8259), read with the place of every value. A key that is there twice is told, and NaN is refused."""

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the standard library's own, which typeshed leaves out

from scriza.modules.strategy.ingest import tree
from scriza.modules.strategy.ingest.source_text import place_at
from scriza.modules.strategy.ingest.tree import Tree, Unreadable, whole_number
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook_findings import Place

_SPACE = re.compile(r"[ \t\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[-+]?[A-Za-z_][A-Za-z_]*")
_WORDS = {"true": True, "false": False, "null": None}
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_json(text: str) -> Tree:
    """A JSON document with the places of its values. Raises Unreadable where it is none."""
    return _Reader(text).tree


class _Reader:
    """Goes through the text once; places are counted forward, so that a long file costs no more than its length."""

    def __init__(self, text: str) -> None:
        self.tree = Tree()
        self._text = text
        self._at = 0
        self._size = 0
        self._line, self._line_begin, self._counted = 1, 0, 0
        self._skip()
        if self._at == len(text):
            raise Unreadable("empty", "there is nothing in it", "write a playbook", Place(1))
        if text[self._at] != "{":
            raise self._wrong("not-a-document", "it is no object", 'begin with {"schema": "scriza.playbook/1", …}')
        document = self._value("", 0)
        assert isinstance(document, dict)
        self.tree.document = document
        self._skip()
        if self._at != len(text):
            raise self._wrong("json-syntax", "something follows the document", "delete what is behind the last brace")

    def _value(self, pointer: str, depth: int) -> object:
        place = self._place()
        self._size += 1
        if depth > tree.MOST_DEPTH:
            raise tree.too_deep(place)
        if self._size > tree.MOST_VALUES:
            raise tree.too_many_values(place)
        self.tree.places.setdefault(pointer, place)
        match self._peek():
            case "{":
                return self._object(pointer, depth)
            case "[":
                return self._array(pointer, depth)
            case '"':
                return self._string()
            case _:
                return self._number_or_word(place)

    def _object(self, pointer: str, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        self._at += 1
        self._skip()
        while self._peek() != "}":
            place = self._place()
            if self._peek() != '"':
                raise self._wrong("json-syntax", "a name in double quotes belongs here", 'write "name": value')
            key = self._string()
            here = below(pointer, key)
            twice = key in found
            if twice:
                message = f"{key!r} is there twice, first in line {self.tree.places[here].line}"
                self.tree.tell("error", "duplicate-key", message, "delete one, or join the two", place, here)
            else:
                self.tree.places[here] = place
            self._skip()
            self._take(":", "write a colon behind the name")
            self._skip()
            found.setdefault(key, self._value(f"{here}#again" if twice else here, depth + 1))
            self._next_or("}")
        self._at += 1
        return found

    def _array(self, pointer: str, depth: int) -> list[object]:
        found: list[object] = []
        self._at += 1
        self._skip()
        while self._peek() != "]":
            found.append(self._value(below(pointer, len(found)), depth + 1))
            self._next_or("]")
        self._at += 1
        return found

    def _next_or(self, end: str) -> None:
        """Over a comma to the next entry, or to the end."""
        self._skip()
        if self._peek() == end:
            return
        self._take(",", f"write a comma between entries, or {end} behind the last one")
        self._skip()
        if self._peek() == end:
            raise self._wrong("json-syntax", f"an entry belongs before this {end}", "delete the comma before it")

    def _string(self) -> str:
        begin = self._place()
        try:
            text, self._at = scanstring(self._text, self._at + 1, True)
        except ValueError as error:
            at = getattr(error, "pos", self._at)
            message = f"this is not JSON: {getattr(error, 'msg', 'a text does not end')}"
            fix = 'end the text with ", write line breaks as \\n and a backslash as \\\\'
            raise Unreadable("json-syntax", message, fix, place_at(self._text, at)) from None
        if _SURROGATE.search(text):
            raise Unreadable("json-syntax", "a \\u escape is half a character", "write the character itself", begin)
        return str(text)

    def _number_or_word(self, place: Place) -> object:
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            if number[1] is None and number[2] is None:
                return whole_number(number[0], place)
            value = float(number[0])
            if value in (float("inf"), float("-inf")):
                raise Unreadable("not-a-number", f"{number[0]} is too large", "write a smaller number", place)
            return value
        word = _WORD.match(self._text, self._at)
        if word is not None and word[0] in _WORDS:
            self._at = word.end()
            return _WORDS[word[0]]
        if word is not None and word[0].lstrip("+-") in {"NaN", "Infinity"}:
            raise self._wrong("not-a-number", f"{word[0]} is no number that can be used", "write a number or null")
        raise self._wrong("json-syntax", "this is not JSON: a value belongs here", "put texts in double quotes")

    def _take(self, sign: str, fix: str) -> None:
        if self._peek() != sign:
            raise self._wrong("json-syntax", f"this is not JSON: {sign!r} belongs here", fix)
        self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _place(self) -> Place:
        breaks = self._text.count("\n", self._counted, self._at)
        if breaks:
            self._line += breaks
            self._line_begin = self._text.rfind("\n", self._counted, self._at) + 1
        self._counted = self._at
        return Place(self._line, self._at - self._line_begin + 1)

    def _wrong(self, code: str, message: str, fix: str) -> Unreadable:
        return Unreadable(code, message, fix, self._place())
