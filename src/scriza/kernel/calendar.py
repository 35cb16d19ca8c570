"""Days of any time zone in quarters of an hour of UTC, in which the figures are kept.

Every zone in use is a whole number of quarters away from UTC, also on the days of 23 and 25 hours on which clocks are
changed.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from scriza.kernel.errors import BadInput

SLOTS = 96
_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)


class Span(msgspec.Struct, frozen=True):
    """Part of a day in UTC: its quarters from `first` up to, but without, `end`."""

    day: date
    first: int = 0
    end: int = SLOTS


def slot_of(moment: datetime) -> int:
    """The quarter of its day in which a moment in UTC lies, 0 to 95."""
    return moment.hour * 4 + moment.minute // 15


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """A zone of the IANA database. Raises BadInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput("tz: there is no such time zone; write one like Asia/Kolkata") from error


def days(since: date, until: date) -> Iterator[date]:
    """Every day from the one to the other, both included."""
    for number in range((until - since).days + 1):
        yield since + number * _DAY


def beginning(day: date, of: ZoneInfo) -> datetime:
    """When a day begins there, in UTC. Where midnight is left out it is the first moment after it."""
    return datetime.combine(day, time(), of).astimezone(UTC)


def spans(day: date, of: ZoneInfo) -> list[Span]:
    """What a day of the zone is in UTC: one whole day, or the end of one and the beginning of the next."""
    begin, end = beginning(day, of), beginning(day + _DAY, of)
    found = []
    while begin < end:
        midnight = datetime.combine(begin.date() + _DAY, time(), UTC)
        stop = min(end, midnight)
        last = SLOTS if stop == midnight else slot_of(stop)
        found.append(Span(begin.date(), slot_of(begin), last))
        begin = midnight
    return [span for span in found if span.first < span.end]
