"""Figures added up by day: the sum of the day, and of each quarter of an hour in it, by outcome.

A day in UTC is its sum. A day of another zone is the end of one such day and the beginning of the next: the shorter of
the two parts is added up from its quarters, and the longer one is what that leaves of the sum. Since the shorter part
is a zone's night or evening, hardly any quarters are read, and the cost of a report depends little on its zone and on
how many calls there were.
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from scriza.kernel.calendar import SLOTS, Span
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
    """The sums of one day. Of the quarters there may be some only, for who asks for no others."""

    def __init__(self, total: ByOutcome | None = None, quarters: Mapping[int, bytes] | None = None) -> None:
        self.total: ByOutcome = total or {}
        self._quarters: dict[int, bytes | ByOutcome] = dict(quarters or {})

    @classmethod
    def decode(cls, total: bytes, quarters: Mapping[int, bytes]) -> "Day":
        """From what `encode` has made; a quarter is decoded when it is needed."""
        return cls(_BY_OUTCOME.decode(total), quarters)

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
        """The sum of a part of the day, for which the quarters `quarters_for(span)` have to be there."""
        counted = [self._quarter(slot) for slot in quarters_for(span) if slot in self._quarters]
        if _is_short(span):
            return _sum_up({}, counted, 1)
        return _sum_up(_sum_up({}, [self.total], 1), counted, -1) if counted else self.total

    def _quarter(self, slot: int) -> ByOutcome:
        found = self._quarters.get(slot, {})
        return _BY_OUTCOME.decode(found) if isinstance(found, bytes) else found

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


def quarters_for(span: Span) -> list[int]:
    """The quarters from which a part of a day is found: those in it, or if it is the longer part those outside it."""
    inside = range(span.first, span.end)
    return list(inside) if _is_short(span) else [slot for slot in range(SLOTS) if slot not in inside]


def _is_short(span: Span) -> bool:
    return 2 * (span.end - span.first) <= SLOTS


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


_ENCODE = msgspec.msgpack.Encoder().encode
_BY_OUTCOME = msgspec.msgpack.Decoder(ByOutcome)
