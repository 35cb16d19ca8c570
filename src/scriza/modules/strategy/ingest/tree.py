"""What a source is read into, and what bounds it."""

from scriza.modules.strategy.places import nearest
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook_findings import Finding, Level, Place

MOST_BYTES = 1_000_000
"""The longest source: a playbook with 500 records has about 200 kB."""
MOST_VALUES = 50_000
"""Values that a source may expand to; anchors can make a few lines into billions."""
MOST_ITEMS = 2_000
"""Of one list or one set of fields."""
MOST_LINES = 20_000
MOST_CHARACTERS = 20_000
"""Of one text, and of one line where a text is one: five times what any field of the schema takes."""
MOST_DEPTH = 40
"""Parts within parts; the schema needs eight."""
_LONGEST_NUMBER = 18
"""Digits of a whole number that every store and program holds exactly."""


class Tree:
    """A document as it was parsed: values by key and index, and where each is written."""

    def __init__(self) -> None:
        self.document: dict[str, object] = {}
        self.places: dict[str, Place] = {}
        self.findings: list[Finding] = []

    def tell(self, level: Level, code: str, message: str, fix: str, place: Place, pointer: str = "") -> None:
        """Note something about a place of the source."""
        self.findings.append(Finding(level, code, message, pointer, fix, line=place.line, column=place.column))


class Unreadable(Exception):
    """The source cannot be read any further."""

    def __init__(self, code: str, message: str, fix: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.finding = Finding(
            "error",
            code,
            message,
            fix=fix,
            line=place.line if place else 0,
            column=place.column if place else 0,
        )


def too_deep(place: Place) -> Unreadable:
    """What is said of parts within parts within parts."""
    return Unreadable("too-deep", f"more than {MOST_DEPTH} parts stand within each other", "nest less", place)


def too_many_values(place: Place) -> Unreadable:
    """What is said of a source that expands to too much."""
    fix = "write fewer records, and repeat less by anchors"
    return Unreadable("too-many-values", f"the document expands to more than {MOST_VALUES} values", fix, place)


def bounded(tree: Tree) -> Tree:
    """The tree. Raises Unreadable for one with a list or a text of a size that no playbook has."""
    open_: list[tuple[str, object]] = [("", tree.document)]
    while open_:
        pointer, value = open_.pop()
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            message, fix = f"a text has {len(value)} characters", f"write at most {MOST_CHARACTERS}"
            raise Unreadable("too-long", message, fix, nearest(tree.places, pointer))
        if isinstance(value, list | dict) and len(value) > MOST_ITEMS:
            raise too_many_items(nearest(tree.places, pointer) or Place(1))
        if isinstance(value, dict):
            open_ += [(below(pointer, key), item) for key, item in value.items()]
            open_ += [(pointer, key) for key in value]
        elif isinstance(value, list):
            open_ += [(below(pointer, index), item) for index, item in enumerate(value)]
    return tree


def too_many_items(place: Place) -> Unreadable:
    """What is said of a list that is longer than any that a person reads."""
    return Unreadable("too-many-items", f"more than {MOST_ITEMS} items stand here", "keep those that matter", place)


def bounded_lines(text: str) -> str:
    """The text of a source that is read line by line. Raises Unreadable for too many lines, or one that is too long."""
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        raise Unreadable(
            "too-many-lines", f"it has {len(lines)} lines", f"write at most {MOST_LINES}", Place(MOST_LINES)
        )
    for number, line in enumerate(lines, start=1):
        if len(line) > MOST_CHARACTERS:
            fix = f"write at most {MOST_CHARACTERS} in a line"
            raise Unreadable("too-long", f"a line has {len(line)} characters", fix, Place(number))
    return text


def whole_number(digits: str, place: Place) -> int:
    """An integer that is not absurdly long. Raises Unreadable."""
    if len(digits.lstrip("-+")) > _LONGEST_NUMBER:
        fix = "write it in quotes if it is a text"
        raise Unreadable("number-too-large", f"a number has more than {_LONGEST_NUMBER} digits", fix, place)
    return int(digits)
