"""Sums of days, hours and quarters of an hour in UTC, of which any span of any zone is made up. Pure.

What is used is added to its quarter, its hour and its day. So a span is a few quarters and hours up to midnight in UTC,
whole days, and a few hours and quarters after (as in a segment tree): a month of a million events is read from some
thirty sums, and each day of a zone half an hour off from at most 23 hours and a few quarters. Every zone in use is a
whole number of quarters away from UTC, also on days of 23 and 25 hours.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from scriza.modules.usage.sums import QUARTER, Cell, Sums

DAY, HOUR, _QUARTER = 86_400, 3_600, int(QUARTER.total_seconds())
_GRAINS = (DAY, HOUR, _QUARTER)


class Piece(NamedTuple):
    """A whole day, hour or quarter: when it begins, and its length, in seconds."""

    start: int
    length: int


class What(NamedTuple):
    """What a sum is of."""

    kind: str
    item: str
    agent: str


Parts = dict[What, Sums]
"""What was used in a piece; only what is not zero."""


class _Line(msgspec.Struct, frozen=True, array_like=True):
    kind: str
    item: str
    agent: str
    sums: Sums


def pieces(since: datetime, until: datetime) -> list[Piece]:
    """The fewest that together are the quarters that begin in a span, in their order."""
    return list(_pieces(_quarter_from(since), _quarter_from(until)))


def spread(cells: Mapping[Cell, Sums]) -> dict[Piece, Parts]:
    """What is to be added to the pieces in which the cells lie."""
    found: dict[Piece, Parts] = {}
    for cell, sums in cells.items():
        what = What(cell.kind, cell.item, cell.agent)
        for length in _GRAINS:
            add(found.setdefault(Piece(cell.quarter - cell.quarter % length, length), {}), what, sums)
    return {piece: parts for piece, parts in found.items() if parts}


def add(parts: Parts, what: What, sums: Mapping[str, int]) -> None:
    """Add to what was used of one thing."""
    into = parts.setdefault(what, {})
    for name, amount in sums.items():
        if changed := into.get(name, 0) + amount:
            into[name] = changed
        else:
            into.pop(name, None)
    if not into:
        del parts[what]


def merged(many: Iterable[Parts]) -> Parts:
    """All together."""
    whole: Parts = {}
    for parts in many:
        for what, sums in parts.items():
            add(whole, what, sums)
    return whole


def encode(parts: Parts) -> bytes:
    """As MessagePack."""
    return _ENCODE([_Line(*what, sums) for what, sums in parts.items()])


def decode(told: bytes) -> Parts:
    """What `encode` has made."""
    return {What(line.kind, line.item, line.agent): line.sums for line in _DECODE(told)}


def _pieces(start: int, end: int) -> Iterator[Piece]:
    while start < end:
        length = next(length for length in _GRAINS if start % length == 0 and start + length <= end)
        yield Piece(start, length)
        start += length


def _quarter_from(moment: datetime) -> int:
    """The first one that begins then or later."""
    return -int(-moment.timestamp() // _QUARTER) * _QUARTER


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list[_Line]).decode
