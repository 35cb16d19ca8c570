"""Figures added up by day: the sum of the day, and of each quarter of an hour in it, by outcome.

A day in UTC is its sum. A day of another zone is the end of one such day and the beginning of the next, and since
midnight is where few calls are, either is found by adding up, or taking away, the few quarters on the quiet side of it.
So the cost of a report does not depend on its zone, and hardly on how many calls there were.

Stored, a day is two pieces of MessagePack: the sum, and the quarters, of which each is decoded only when it is needed.
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from scriza.modules.memory.reports.calendar import SLOTS, Span
from scriza.modules.memory.reports.counting import Cell
from scriza.modules.memory.reports.figures import Figures, add, is_nothing

ByOutcome = dict[str, Figures]


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
    figures: Figures
    sealed: bool = False


class Day:
    """The sums of one day."""

    def __init__(self, total: ByOutcome | None = None, quarters: Mapping[int, msgspec.Raw] | None = None) -> None:
        self.total: ByOutcome = total or {}
        self._quarters: dict[int, msgspec.Raw | ByOutcome] = dict(quarters or {})

    @classmethod
    def decode(cls, total: bytes, quarters: bytes | None) -> "Day":
        """From what `encode` has made; without the quarters it can only tell the whole day."""
        return cls(_TOTAL.decode(total), None if quarters is None else _QUARTERS.decode(quarters))

    def encode(self) -> tuple[bytes, bytes]:
        """The sum and the quarters."""
        return _ENCODER.encode(self.total), _ENCODER.encode(self._quarters)

    @property
    def empty(self) -> bool:
        """Whether nothing is counted on it."""
        return not self.total

    def add(self, slot: int, outcome: str, figures: Figures, times: int = 1) -> None:
        """Add to a quarter and to the sum, or with -1 take away."""
        _add_to(self.total, outcome, figures, times)
        quarter = self._quarter(slot)
        _add_to(quarter, outcome, figures, times)
        if quarter:
            self._quarters[slot] = quarter
        else:
            self._quarters.pop(slot, None)

    def within(self, span: Span) -> ByOutcome:
        """The sum from one quarter to another."""
        inside = [slot for slot in self._quarters if span.first <= slot < span.end]
        if len(inside) == len(self._quarters) or span == Span(span.day):
            return self.total
        if len(inside) <= len(self._quarters) // 2:
            return _sum_up({}, [self._quarter(slot) for slot in inside], 1)
        outside = [self._quarter(slot) for slot in self._quarters if not span.first <= slot < span.end]
        return _sum_up(_sum_up({}, [self.total], 1), outside, -1)

    def _quarter(self, slot: int) -> ByOutcome:
        found = self._quarters.get(slot, {})
        return _TOTAL.decode(found) if isinstance(found, msgspec.Raw) else found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Day) and self._decoded() == other._decoded()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _decoded(self) -> tuple[ByOutcome, dict[int, ByOutcome]]:
        return self.total, {slot: self._quarter(slot) for slot in self._quarters}


class Changes:
    """What is to be added to days: of calls counted for the first time, anew, or sealed."""

    def __init__(self) -> None:
        self.by_day: dict[DayKey, list[tuple[int, str, Figures, int]]] = {}

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

    def apply(self, key: DayKey, day: Day) -> None:
        """Make one day's changes."""
        for slot, outcome, figures, times in self.by_day[key]:
            day.add(slot, outcome, figures, times)


def added_up(calls: Iterable[Counted]) -> dict[DayKey, Day]:
    """The days that these calls make."""
    changes = Changes()
    for counted in calls:
        changes.replace(None, counted)
    days = {key: Day() for key in changes.by_day}
    for key, day in days.items():
        changes.apply(key, day)
    return days


def needs_quarters(spans: Iterable[Span]) -> bool:
    """Whether any of them is only a part of its day."""
    return any(span.first != 0 or span.end != SLOTS for span in spans)


def _sum_up(into: ByOutcome, many: Iterable[ByOutcome], times: int) -> ByOutcome:
    for each in many:
        for outcome, figures in each.items():
            _add_to(into, outcome, figures, times)
    return into


def _add_to(into: ByOutcome, outcome: str, figures: Figures, times: int) -> None:
    have = into.setdefault(outcome, Figures())
    add(have, figures, times)
    if is_nothing(have):
        del into[outcome]


_ENCODER = msgspec.msgpack.Encoder()
_TOTAL = msgspec.msgpack.Decoder(ByOutcome)
_QUARTERS = msgspec.msgpack.Decoder(dict[int, msgspec.Raw])
