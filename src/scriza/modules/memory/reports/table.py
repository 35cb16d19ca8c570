"""Reports as CSV: the rows of the report, and its total as the last one where it has any. Pure."""

from collections.abc import Sequence
from typing import get_args

import msgspec

from scriza.kernel.table import csv_rows


def csv_of(report: msgspec.Struct) -> str:
    """The report's `rows`, and its `total`."""
    rows: Sequence[msgspec.Struct] = report.rows  # type: ignore[attr-defined]  # every report has them
    kind = get_args(next(field.type for field in msgspec.structs.fields(report) if field.name == "rows"))[0]
    total: msgspec.Struct | None = getattr(report, "total", None)
    return csv_rows(kind, rows if total is None else [*rows, total])
