"""Reports as CSV (RFC 4180): the rows of the report, one column for each field, with a header. Pure.

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

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""By which a formula begins, the wide ones of East Asia among them."""


def csv_of(report: msgspec.Struct) -> str:
    """The report's `rows`, and its `total` as the last one where it has any."""
    rows: Sequence[msgspec.Struct] = report.rows  # type: ignore[attr-defined]  # every report has them
    kind = get_args(next(field.type for field in msgspec.structs.fields(report) if field.name == "rows"))[0]
    total: msgspec.Struct | None = getattr(report, "total", None)
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(_columns(kind))
    writer.writerows([_cell(value) for value in _values(row)] for row in rows)
    if total is not None:
        writer.writerow([_cell(value) for value in _values(total)])
    return told.getvalue()


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
