"""CSV: FAQs (``question,answer``) or objections (``objection,response``), one a row, as a part of a playbook."""

import csv
import io
import re

from msgspec import inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.ingest.tree import MOST_ITEMS, Tree, Unreadable, bounded_lines, too_many_items
from scriza.modules.strategy.ingest.vocabulary import field_of
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Faq, Objection, Section
from scriza.ports.playbook_findings import Place

_KINDS: list[tuple[str, type[Section], tuple[str, str]]] = [
    ("faqs", Faq, ("q", "a")),
    ("objections", Objection, ("title", "response")),
]
"""Sections, what their rows are, and the two columns that tell which it is."""
_SPLIT = re.compile(r"\s*[;|]\s*")
_TRUE, _FALSE = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})
_FIX = "begin with a row of names: question,answer for FAQs, or objection,response,triggers for objections"


def read_csv(text: str) -> Tree:
    """A document with FAQs or objections, and the lines of its rows. Raises Unreadable for rows of something else."""
    bounded_lines(text)
    tree = Tree()
    tree.places[""] = Place(1)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    section, names = "", list[str]()
    try:
        begin = 1
        for row in rows:
            if section:
                _read_row(row, section, names, Place(begin), tree)
            elif any(row):
                section, names = _columns(row, Place(begin), tree)
            begin = rows.line_num + 1
    except csv.Error as error:
        fix = 'put cells with commas or line breaks in double quotes, and write " within them as ""'
        raise Unreadable("csv-syntax", f"this is not CSV: {error}", fix, Place(rows.line_num)) from None
    if not section:
        raise Unreadable("empty", "there is nothing in it", _FIX, Place(1))
    if not tree.document:
        raise Unreadable("empty", "there are no rows below the names", "write a row for each", Place(1))
    return tree


def _columns(row: list[str], place: Place, tree: Tree) -> tuple[str, list[str]]:
    """The section that the columns belong to, and the field of each column; empty for what is none."""
    for section, kind, wanted in _KINDS:
        names = [field_of(kind, cell) for cell in row]
        if not set(wanted) <= set(names):
            continue
        for cell, name in zip(row, names, strict=True):
            if not name and cell.strip():
                fix = f"the fields here are {shape.example(kind)}"
                tree.tell(
                    "warning", "not-understood", f"it is not understood what the column {cell!r} is for", fix, place
                )
        return section, names
    raise Unreadable("no-columns", "the first row does not name the columns", _FIX, place)


def _read_row(row: list[str], section: str, names: list[str], place: Place, tree: Tree) -> None:
    if not any(cell.strip() for cell in row):
        return
    records = tree.document.setdefault(section, [])
    assert isinstance(records, list)
    if len(records) == MOST_ITEMS:
        raise too_many_items(place)
    kind = next(kind for name, kind, _ in _KINDS if name == section)
    here = below("", section, len(records))
    tree.places[here] = place
    if len(row) > len(names):
        fix = "put cells that hold a comma in double quotes"
        tree.tell("error", "too-many-cells", f"there are {len(row)} cells for {len(names)} columns", fix, place, here)
    record: dict[str, object] = {}
    for name, cell in zip(names, row, strict=False):
        if name and cell.strip():
            _put(record, kind, name, cell.strip())
    records.append(record)


def _put(record: dict[str, object], kind: type[Section], name: str, cell: str) -> None:
    match shape.fields(kind)[name].type:
        case inspect.ListType() if name in shape.SETS:
            there = record.setdefault(name, [])
            assert isinstance(there, list)
            there.extend(word for word in _SPLIT.split(cell) if word)
        case inspect.ListType():
            there = record.setdefault(name, [])
            assert isinstance(there, list)
            there.append(cell)
        case inspect.BoolType():
            record[name] = True if cell.lower() in _TRUE else False if cell.lower() in _FALSE else cell
        case inspect.IntType():
            record[name] = int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else cell
        case _:
            record[name] = cell
