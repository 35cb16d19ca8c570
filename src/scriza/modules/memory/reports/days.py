"""Figures added up by day: the sum of the day, and of each quarter of an hour in it, by outcome.

A day in UTC is its sum. A day of another zone is the end of one such day and the beginning of the next: the shorter of
the two parts is added up from its quarters, and the longer one is what that leaves of the sum. Since the shorter part
is a zone's night or evening, hardly any quarters are read, and the cost of a report depends little on its zone and on
how many calls there were.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Generic, cast

import msgspec

from scriza.kernel.calendar import SLOTS, Span
from scriza.modules.memory.reports.counting import Cell
from scriza.modules.memory.reports.figures import F, Figures, TimedFigures, add, is_nothing


class DayKey(msgspec.Struct, frozen=True):
    """Which day's sum: by what can be asked for, outcomes aside.

    `sealed` ones hold what was counted of calls whose log is no more, and which cannot be counted anew.
    """

    day: date
    agent: str
    playbook: str
    direction: str
    sealed: bool = False


class Counted(msgspec.Struct, frozen=True):
    """What a call has added, and where."""

    cell: Cell
    figures: TimedFigures
    sealed: bool = False


class Day(Generic[F]):
    """The sums of one day. Of the quarters there may be some only, for who asks for no others."""

    def __init__(self, kind: type[F], total: dict[str, F], quarters: Mapping[int, bytes]) -> None:
        self._kind = kind
        self.total = total
        """By outcome."""
        self._quarters: dict[int, bytes | dict[str, F]] = dict(quarters)

    @classmethod
    def new(cls) -> "Day[TimedFigures]":
        """A day on which nothing is counted yet."""
        return Day(TimedFigures, {}, {})

    @classmethod
    def decode(cls, total: bytes, quarters: Mapping[int, bytes], kind: type[F]) -> "Day[F]":
        """From what `encode` has made, so much of it as `kind` holds; a quarter is decoded when it is needed."""
        return Day(kind, _decode(kind, total), quarters)

    def encode(self) -> tuple[bytes, dict[int, bytes]]:
        """The sum, and the quarters in which anything was, each as MessagePack."""
        return _ENCODE(self.total), {
            slot: quarter if isinstance(quarter, bytes) else _ENCODE(quarter)
            for slot, quarter in self._quarters.items()
        }

    @property
    def empty(self) -> bool:
        """Whether nothing is counted on it."""
        return not self.total

    def add(self, slot: int, outcome: str, figures: F, times: int = 1) -> None:
        """Add to a quarter and to the sum, or with -1 take away."""
        self._add_to(self.total, outcome, figures, times)
        quarter = self._quarter(slot)
        self._add_to(quarter, outcome, figures, times)
        if quarter:
            self._quarters[slot] = quarter
        else:
            self._quarters.pop(slot, None)

    def within(self, span: Span) -> dict[str, F]:
        """The sum of a part of the day, for which the quarters `quarters_for(span)` have to be there."""
        counted = [self._quarter(slot) for slot in quarters_for(span) if slot in self._quarters]
        if _is_short(span):
            return self._sum_up({}, counted, 1)
        return self._sum_up(self._sum_up({}, [self.total], 1), counted, -1) if counted else self.total

    def _quarter(self, slot: int) -> dict[str, F]:
        found = self._quarters.get(slot, {})
        return _decode(self._kind, found) if isinstance(found, bytes) else found

    def _sum_up(self, into: dict[str, F], many: Iterable[dict[str, F]], times: int) -> dict[str, F]:
        for each in many:
            for outcome, figures in each.items():
                self._add_to(into, outcome, figures, times)
        return into

    def _add_to(self, into: dict[str, F], outcome: str, figures: F, times: int) -> None:
        have = into.setdefault(outcome, self._kind())
        add(have, figures, times)
        if is_nothing(have):
            del into[outcome]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Day) and self._decoded() == other._decoded()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _decoded(self) -> tuple[dict[str, F], dict[int, dict[str, F]]]:
        return self.total, {slot: self._quarter(slot) for slot in self._quarters}


class Changes:
    """What is to be added to days: of calls counted for the first time, anew, or sealed."""

    def __init__(self) -> None:
        self.by_day: dict[DayKey, list[tuple[int, str, TimedFigures, int]]] = {}

    def replace(self, before: Counted | None, after: Counted) -> None:
        """A call counts as `after` where it counted as `before`."""
        if before == after:
            return
        if before is not None:
            self._note(before, -1)
        self._note(after, 1)

    def _note(self, counted: Counted, times: int) -> None:
        cell = counted.cell
        key = DayKey(cell.day, cell.agent, cell.playbook, cell.direction, counted.sealed)
        self.by_day.setdefault(key, []).append((cell.slot, cell.outcome, counted.figures, times))

    def apply(self, key: DayKey, day: Day[TimedFigures]) -> None:
        """Make one day's changes."""
        for slot, outcome, figures, times in self.by_day[key]:
            day.add(slot, outcome, figures, times)


def added_up(calls: Iterable[Counted]) -> dict[DayKey, Day[TimedFigures]]:
    """The days that these calls make."""
    changes = Changes()
    for counted in calls:
        changes.replace(None, counted)
    days = {key: Day.new() for key in changes.by_day}
    for key, day in days.items():
        changes.apply(key, day)
    return days


def quarters_for(span: Span) -> list[int]:
    """The quarters from which a part of a day is found: those in it, or if it is the longer part those outside it."""
    inside = range(span.first, span.end)
    return list(inside) if _is_short(span) else [slot for slot in range(SLOTS) if slot not in inside]


def _is_short(span: Span) -> bool:
    return 2 * (span.end - span.first) <= SLOTS


def _decode(kind: type[F], told: bytes) -> dict[str, F]:
    decoder = _TIMED if kind is TimedFigures else _PLAIN
    return cast("dict[str, F]", decoder.decode(told))


_ENCODE = msgspec.msgpack.Encoder().encode
_PLAIN = msgspec.msgpack.Decoder(dict[str, Figures])
_TIMED = msgspec.msgpack.Decoder(dict[str, TimedFigures])
