"""Rows as CSV (RFC 4180): one column for each field of a Struct, with a header. Pure.

What is nested becomes several columns (``total_p95_ms``), and a mapping one cell (``booked=3; lost=1``). A cell that a
spreadsheet would take for a formula begins with an apostrophe: callers and playbooks choose some of these words
(OWASP, "CSV Injection").
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import get_args

import msgspec

from scriza.kernel.errors import BadInput

CSV = "text/csv"
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""By which a formula begins, the wide ones of East Asia among them."""


def csv_rows(kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> str:
    """The rows, all of that kind or of one with the same fields."""
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(_columns(kind))
    writer.writerows([_cell(value) for value in _values(row)] for row in rows)
    return told.getvalue()


def wants_csv(form: str, accept: str) -> bool:
    """The query's `form` decides where it says anything, else the header, by which is named first. Raises BadInput."""
    if form not in ("", "json", "csv"):
        raise BadInput("format: json or csv")
    if form:
        return form == "csv"
    named = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    known = [media_type for media_type in named if media_type in (CSV, "application/json")]
    return known[:1] == [CSV]


def attachment(name: str) -> dict[str, str]:
    """Headers of a file of that name, for a reply that depends on what is accepted."""
    return {"content-disposition": f'attachment; filename="{name}.csv"', "vary": "accept"}


def _columns(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        if nested := _struct(field.type):
            yield from _columns(nested, f"{prefix}{field.name}_")
        else:
            yield prefix + field.name


def _values(row: msgspec.Struct) -> Iterator[object]:
    for field in msgspec.structs.fields(row):
        value = getattr(row, field.name)
        if isinstance(value, msgspec.Struct):
            yield from _values(value)
        elif nested := _struct(field.type):
            yield from [None] * len(list(_columns(nested)))
        else:
            yield value


def _struct(kind: object) -> type[msgspec.Struct] | None:
    """The Struct that a field holds, or may hold."""
    found = [each for each in (kind, *get_args(kind)) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    return found[0] if found else None


def _cell(value: object) -> str | int | float | None:
    match value:
        case None | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return _safe("; ".join(f"{name}={count}" for name, count in value.items()))
        case list():
            return _safe("; ".join(map(str, value)))
        case _:
            return _safe(str(value))


def _safe(text: str) -> str:
    """Also where a line end or a space comes first, which some programs leave out."""
    is_formula = text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if is_formula else text
