"""Reports as CSV: what a spreadsheet reads is what the report says, and nothing that it would run."""

import csv
import io
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.memory.reports.comparing import compare
from scriza.modules.memory.reports.figures import Figures, TimedFigures
from scriza.modules.memory.reports.table import csv_of
from scriza.modules.memory.reports.views import latency, objections, overview
from scriza.ports.reports import Comparison, Objections, Period, Unanswered, UnansweredRow

DAY = Period(date(2026, 3, 1), date(2026, 3, 1), "UTC")


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def asked(words: str) -> Unanswered:
    row = UnansweredRow(words, 2, 1, ["pitch", "close"], ["CA1"], datetime(2026, 3, 1, 9, tzinfo=UTC))
    return Unanswered(DAY, [row], 2, 2)


def test_there_is_a_header_a_line_for_each_row_and_one_for_the_total() -> None:
    figures = Figures(calls=2, ended=2, won=1, outcomes={"lost": 1, "booked": 1})
    header, day, total = read(csv_of(overview(DAY, "day", {"2026-03-01": figures})))
    told = dict(zip(header, day, strict=True))
    assert (told["name"], told["calls"], told["won_share"], told["sentiment"]) == ("2026-03-01", "2", "0.5", "")
    assert told["outcomes"] == "booked=1; lost=1"
    assert total[0] == "total"


def test_what_is_nested_has_a_column_for_each_of_its_parts() -> None:
    header, *rows = read(csv_of(latency(DAY, "agent", {"kite": TimedFigures(calls=1, total={10: 1})})))
    assert header[:5] == ["name", "turns", "total_mean_ms", "total_p50_ms", "total_p95_ms"]
    assert {len(row) for row in rows} == {len(header)}


def test_what_may_be_missing_keeps_its_columns() -> None:
    known = compare(Figures(ended=40, hits={"won": 4}), Figures(ended=40))
    nothing = compare(Figures(), Figures())
    header, *rows = read(csv_of(Comparison(DAY, "a", "b", known + nothing)))
    assert header[2:6] == ["a_calls", "a_estimate_value", "a_estimate_low", "a_estimate_high"]
    assert {len(row) for row in rows} == {len(header)}


def test_a_report_without_rows_is_its_header() -> None:
    assert read(csv_of(Objections(DAY, 0, [], 0))) == [["objection", "heard", "answered", "calls", "won", "won_share"]]


def test_times_and_lists_are_written_for_people_and_programs() -> None:
    _, row = read(csv_of(asked("what is it")))
    assert row == ["what is it", "2", "1", "pitch; close", "CA1", "2026-03-01T09:00:00+00:00"]


FORMULAS = [
    "=1+1",
    "+1 415",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1+1",
    "\uff1d1",
    '=HYPERLINK("http://x","y")',
]


@pytest.mark.parametrize("words", FORMULAS)
def test_a_cell_never_begins_as_a_formula_does(words: str) -> None:
    _, row = read(csv_of(asked(words)))
    assert row[0] == f"'{words}"
    _, row = read(csv_of(objections(DAY, Figures(objections_heard={words: 1}))))
    assert row[0] == f"'{words}"


@given(st.text(max_size=30))
def test_any_words_come_back_as_they_were(words: str) -> None:
    told = read(csv_of(asked(words)))
    assert told[1][0].removeprefix("'") == words.removeprefix("'")
    assert len(told[1]) == len(told[0])
