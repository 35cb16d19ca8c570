"""Weekly hours in local time, such as ``Mon-Fri 09:00-18:00, Sat 10:00-14:00``. Pure."""

import re
from datetime import datetime

import msgspec

from scriza.kernel.errors import BadInput

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([A-Za-z]{3})(?:-([A-Za-z]{3}))?\s+(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES = 24 * 60


class Span(msgspec.Struct, frozen=True):
    """From minute `opens` up to, but not at, minute `closes` of a day; 0 is Monday."""

    day: int
    opens: int
    closes: int


class WeeklyHours(msgspec.Struct, frozen=True):
    """Open within any of the spans."""

    spans: tuple[Span, ...]

    def open_at(self, local: datetime) -> bool:
        """Whether it is open at this local time."""
        minute = local.hour * 60 + local.minute
        return any(span.day == local.weekday() and span.opens <= minute < span.closes for span in self.spans)


def weekly_hours(text: str) -> WeeklyHours:
    """Read hours as they are written: days and times, separated by commas. ``Sat-Mon`` goes over the week's end.

    A span ends on the day it begins, at ``24:00`` at the latest. Raises BadInput for anything else.
    """
    return WeeklyHours(tuple(span for part in text.split(",") for span in _spans(part.strip())))


def _spans(part: str) -> list[Span]:
    match = _SPAN.fullmatch(part)
    if match is None:
        raise BadInput("hours are written like Mon-Fri 09:00-18:00, Sat 10:00-14:00")
    first, last = _day(match[1]), _day(match[2] or match[1])
    opens, closes = _minute(match[3], match[4]), _minute(match[5], match[6])
    if opens >= closes:
        raise BadInput("hours end on the day they begin, after their beginning: divide them at 24:00")
    return [Span((first + ahead) % 7, opens, closes) for ahead in range((last - first) % 7 + 1)]


def _day(name: str) -> int:
    if name.lower() not in _DAYS:
        raise BadInput("days are written Mon, Tue, Wed, Thu, Fri, Sat, Sun")
    return _DAYS.index(name.lower())


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > _DAY_MINUTES:
        raise BadInput("times are written 00:00 to 24:00")
    return minute
