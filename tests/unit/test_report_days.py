"""Sums of days: whatever is asked of them is what adding up the calls one by one would give."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.calendar import zone
from scriza.modules.memory.reports.books import ALL_QUARTERS, StoredDay
from scriza.modules.memory.reports.counting import Led, cell_of, figures_of
from scriza.modules.memory.reports.days import Changes, Counted, Day, DayKey, added_up
from scriza.modules.memory.reports.figures import Figures, TimedFigures, add, is_nothing, total_of
from scriza.modules.memory.reports.sums import Slices, period, reads, slices
from scriza.modules.memory.reports.sums import added_up as rows_of
from scriza.ports.memory import RememberedCall
from scriza.ports.reports import By
from tests.report_calls import MONDAY, some_calls

LED = Led("kite", frozenset({"booked"}), "en")
calls = st.lists(some_calls(st.just("CA1")), max_size=6)
figures = some_calls(st.just("CA1")).map(partial(figures_of, led=LED))


def counted(call: RememberedCall) -> Counted:
    assert call.started_at is not None
    led = Led(call.playbook.partition(".")[0], LED.wins, "en")
    return Counted(cell_of(call, call.started_at, led), figures_of(call, led))


def stored(days: dict[DayKey, Day[TimedFigures]], slots: Sequence[int] = ALL_QUARTERS) -> list[StoredDay]:
    """As the store keeps them, with these quarters alone."""
    rows = [(key, *day.encode()) for key, day in days.items()]
    return [
        StoredDay(key, total, {slot: each for slot, each in quarters.items() if slot in slots})
        for key, total, quarters in rows
    ]


def read(days: dict[DayKey, Day[TimedFigures]], wanted: Slices) -> list[StoredDay]:
    """What the service would read, and nothing more."""
    return [
        each
        for asked in reads(wanted)
        for each in stored(days, asked.quarters)
        if asked.since <= each.key.day <= asked.until
    ]


@given(calls)
def test_what_needs_no_parts_of_latencies_reads_the_rest_alone(told: list[RememberedCall]) -> None:
    for key, day in added_up(map(counted, told)).items():
        (row,) = stored({key: day})
        for outcome, found in row.open(Figures).total.items():
            assert type(found) is Figures
            assert found == total_of([day.total[outcome]], Figures)


@given(figures, figures)
def test_figures_that_are_taken_away_again_leave_no_trace(some: TimedFigures, more: TimedFigures) -> None:
    sums = total_of([some], TimedFigures)
    add(sums, more)
    add(sums, more, -1)
    assert sums == some
    add(sums, some, -1)
    assert is_nothing(sums)


@given(st.lists(figures, max_size=5), st.randoms())
def test_the_order_in_which_figures_are_added_does_not_matter(many: list[TimedFigures], chance: object) -> None:
    other = list(many)
    chance.shuffle(other)  # type: ignore[attr-defined]  # Hypothesis's random
    assert total_of(many, TimedFigures) == total_of(other, TimedFigures)


@given(calls, st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"]))
def test_a_day_of_any_zone_is_the_calls_that_began_on_it(told: list[RememberedCall], name: str) -> None:
    covered = period(date(2026, 3, 1), date(2026, 3, 7), name, MONDAY)
    wanted = slices(covered, "day")
    rows = rows_of(read(added_up(map(counted, told)), wanted), wanted, "day", TimedFigures)
    by_hand: dict[str, list[TimedFigures]] = {}
    for call in told:
        assert call.started_at is not None
        by_hand.setdefault(str(call.started_at.astimezone(zone(name)).date()), []).append(counted(call).figures)
    assert rows == {day: total_of(many, TimedFigures) for day, many in by_hand.items()}


@given(calls, st.sampled_from(["agent", "playbook", "outcome", "direction"]), st.integers(0, 3), st.integers(0, 3))
def test_the_rows_of_a_period_are_the_calls_in_it(told: list[RememberedCall], by: By, since: int, length: int) -> None:
    first = date(2026, 3, 2) + timedelta(days=since)
    covered = period(first, first + timedelta(days=length), "Asia/Kolkata", MONDAY)
    wanted = slices(covered, by)
    days = added_up(map(counted, told))
    by_hand: dict[str, list[TimedFigures]] = {}
    for call in told:
        assert call.started_at is not None
        if covered.since <= call.started_at.astimezone(zone(covered.tz)).date() <= covered.until:
            cell = counted(call).cell
            by_hand.setdefault(str(getattr(cell, by)), []).append(counted(call).figures)
    expected = {name: total_of(many, TimedFigures) for name, many in by_hand.items()}
    assert rows_of(read(days, wanted), wanted, by, TimedFigures) == expected


@given(calls, some_calls(st.just("CA1")))
def test_what_is_counted_anew_replaces_what_was_counted(told: Sequence[RememberedCall], last: RememberedCall) -> None:
    days: dict[DayKey, Day[TimedFigures]] = {}
    before: Counted | None = None
    for call in (*told, last):
        changes = Changes()
        changes.replace(before, counted(call))
        for key in changes.by_day:
            day = days.pop(key, Day.new())
            changes.apply(key, day)
            if not day.empty:
                days[key] = Day.decode(*day.encode(), TimedFigures)
        before = counted(call)
    assert days == added_up([counted(last)])


MARCH = date(2026, 3, 1), date(2026, 3, 31)


def test_a_report_in_utc_reads_no_quarters() -> None:
    covered = period(*MARCH, "UTC", MONDAY)
    for by in ("day", "agent"):
        assert [(each.since, each.until, each.quarters) for each in reads(slices(covered, by))] == [(*MARCH, ())]


def test_a_report_elsewhere_reads_only_the_shorter_part_of_days_that_are_cut() -> None:
    covered = period(*MARCH, "Asia/Kolkata", MONDAY)
    night = tuple(range(74, 96))
    assert [(each.since, each.until, each.quarters) for each in reads(slices(covered, "day"))] == [
        (date(2026, 2, 28), date(2026, 3, 31), night)
    ]
    assert [(each.since, each.until, each.quarters) for each in reads(slices(covered, "agent"))] == [
        (date(2026, 2, 28), date(2026, 2, 28), night),
        (date(2026, 3, 1), date(2026, 3, 30), ()),
        (date(2026, 3, 31), date(2026, 3, 31), night),
    ]


def test_where_clocks_are_changed_other_quarters_are_read() -> None:
    covered = period(*MARCH, "Europe/Berlin", MONDAY)
    assert [(each.since, each.until, each.quarters) for each in reads(slices(covered, "day"))] == [
        (date(2026, 2, 28), date(2026, 3, 28), (92, 93, 94, 95)),
        (date(2026, 3, 29), date(2026, 3, 31), tuple(range(88, 96))),
    ]
