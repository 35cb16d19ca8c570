"""What a source is read into, and what bounds it."""

from scriza.ports.playbook_findings import Finding, Level, Place

MOST_BYTES = 1_000_000
"""The longest source: a playbook with 500 records has about 200 kB."""
MOST_VALUES = 100_000
"""Values that a source may expand to; anchors can make a few lines into billions."""
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
            *("error", code, message, "", fix),
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


def whole_number(digits: str, place: Place) -> int:
    """An integer that is not absurdly long. Raises Unreadable."""
    if len(digits.lstrip("-+")) > _LONGEST_NUMBER:
        fix = "write it in quotes if it is a text"
        raise Unreadable("number-too-large", f"a number has more than {_LONGEST_NUMBER} digits", fix, place)
    return int(digits)
