"""Sums of days, hours and quarters: any span of any zone, made up of them, tells what its events tell."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.calendar import beginning, zone
from scriza.modules.usage.grains import Piece, decode, encode, merged, pieces, spread
from scriza.modules.usage.summaries import Span, stretches, summary
from scriza.modules.usage.sums import Cell, Sums, total

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
QUARTER = 900
FIRST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) // QUARTER
QUARTERS = st.integers(FIRST, FIRST + 366 * 96)
CELLS = st.builds(
    Cell,
    QUARTERS.map(lambda number: number * QUARTER),
    st.sampled_from(["llm", "tts"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "sv_one"]),
)
USED = st.lists(st.tuples(CELLS, st.integers(1, 1000)), max_size=30)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


def cells_of(used: list[tuple[Cell, int]]) -> dict[Cell, Sums]:
    cells: dict[Cell, Sums] = defaultdict(lambda: defaultdict(int))
    for cell, cost in used:
        cells[cell]["cost_micro_usd"] += cost
    return cells


def kept(used: list[tuple[Cell, int]]) -> dict[Piece, bytes]:
    return {piece: encode(parts) for piece, parts in spread(cells_of(used)).items()}


@given(MOMENTS, MOMENTS)
def test_pieces_are_the_quarters_that_begin_in_a_span_each_once(one: datetime, other: datetime) -> None:
    since, until = min(one, other), max(one, other)
    covered = [start for piece in pieces(since, until) for start in range(piece.start, sum(piece), QUARTER)]
    first = -int(-since.timestamp() // QUARTER)
    assert covered == list(range(first * QUARTER, -int(-until.timestamp() // QUARTER) * QUARTER, QUARTER))


@given(USED, ZONES, st.dates(date(2026, 1, 1), date(2026, 12, 1)), st.integers(1, 40))
def test_a_summary_by_day_tells_of_each_day_what_its_events_tell(
    used: list[tuple[Cell, int]], tz: str, first: date, count: int
) -> None:
    here = zone(tz)
    span = Span(beginning(first, here), beginning(first + timedelta(days=count), here), tz)
    told = summary(stretches(span, "day"), kept(used), span, "day")
    expected: dict[str, int] = defaultdict(int)
    for cell, cost in used:
        at = datetime.fromtimestamp(cell.quarter, UTC)
        if span.since <= at < span.until:
            expected[at.astimezone(here).date().isoformat()] += cost
    assert {group.name: group.totals.cost_micro_usd for group in told.groups} == expected
    assert told.totals.cost_micro_usd == sum(expected.values())


@given(USED, USED)
def test_sums_that_are_added_in_parts_are_those_of_all_together(
    some: list[tuple[Cell, int]], others: list[tuple[Cell, int]]
) -> None:
    apart, together = [kept(some), kept(others)], kept([*some, *others])
    for piece, told in together.items():
        found = merged(decode(part[piece]) for part in apart if piece in part)
        assert found == decode(told)
    assert apart[0].keys() | apart[1].keys() == together.keys()


@given(USED)
def test_days_hours_and_quarters_all_sum_to_the_same(used: list[tuple[Cell, int]]) -> None:
    by_length: dict[int, int] = defaultdict(int)
    for piece, told in kept(used).items():
        by_length[piece.length] += total(decode(told).values()).cost_micro_usd
    assert set(by_length.values()) <= {sum(cost for _, cost in used)}
