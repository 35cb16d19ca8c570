"""From the kept days to the figures of a report: which days are read, and what of them goes to which row. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

from scriza.kernel.calendar import Span, beginning, days, slot_of, spans, zone
from scriza.kernel.errors import BadInput
from scriza.modules.memory.reports.books import DaysWanted, StoredDay
from scriza.modules.memory.reports.days import DayKey, quarters_for
from scriza.modules.memory.reports.figures import F, add
from scriza.ports.reports import By, Period

_DEFAULT_DAYS = 30
_MOST_DAYS = 1100

Slices = Mapping[date, Sequence[tuple[str, Span]]]
"""For each day of UTC, what of it goes to which row; the name is empty where rows do not stand for days."""


def period(since: date | None, until: date | None, tz: str, now: datetime) -> Period:
    """The days that a query means. Raises BadInput."""
    last = until or now.astimezone(zone(tz)).date()
    try:
        first = since or last - timedelta(days=_DEFAULT_DAYS - 1)
        beginning(first, zone(tz)), beginning(last + timedelta(days=1), zone(tz))
    except OverflowError as error:
        raise BadInput("since, until: these days are at the end of the calendar") from error
    if first > last:
        raise BadInput(f"since: {first} is after {last}")
    if (last - first).days >= _MOST_DAYS:
        raise BadInput(f"since: a report covers at most {_MOST_DAYS} days")
    return Period(first, last, tz)


def slices(covered: Period, by: By) -> Slices:
    """What is read of each day of UTC."""
    there = zone(covered.tz)
    if by == "day":
        parts = [(str(day), span) for day in days(covered.since, covered.until) for span in spans(day, there)]
    else:
        parts = [("", span) for span in _whole(covered)]
    found: dict[date, list[tuple[str, Span]]] = {}
    for name, span in parts:
        found.setdefault(span.day, []).append((name, span))
    return found


def _whole(covered: Period) -> list[Span]:
    there = zone(covered.tz)
    begin, end = beginning(covered.since, there), beginning(covered.until + timedelta(days=1), there)
    found = []
    for day in days(begin.date(), end.date()):
        first = slot_of(begin) if day == begin.date() else 0
        last = slot_of(end) if day == end.date() else Span(day).end
        if first < last:
            found.append(Span(day, first, last))
    return found


def reads(wanted: Slices, *, agent: str = "", playbooks: tuple[str, ...] = (), direction: str = "") -> list[DaysWanted]:
    """The fewest reads that fetch no quarters but those that are needed."""

    def quarters(day: date) -> tuple[int, ...]:
        return tuple(sorted({slot for _, span in wanted[day] for slot in quarters_for(span)}))

    found = []
    for needed, run in groupby(sorted(wanted), quarters):
        together = list(run)
        found.append(DaysWanted(together[0], together[-1], needed, agent, playbooks, direction))
    return found


def added_up(rows: Iterable[StoredDay], wanted: Slices, by: By, kind: type[F], outcome: str = "") -> dict[str, F]:
    """The figures of each row of a report, by its name."""
    found: dict[str, F] = {}
    for row in rows:
        day = row.open(kind)
        for name, span in wanted.get(row.key.day, ()):
            for ended, figures in day.within(span).items():
                if not outcome or ended == outcome:
                    add(found.setdefault(_name(by, name, row.key, ended), kind()), figures)
    return found


def _name(by: By, day: str, key: DayKey, outcome: str) -> str:
    match by:
        case "day":
            return day
        case "agent":
            return key.agent
        case "playbook":
            return key.playbook
        case "direction":
            return key.direction
        case "outcome":
            return outcome
