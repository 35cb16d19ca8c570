"""What was used since some moment, in some zone: totals, and groups whose parts sum to them. Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from scriza.kernel.calendar import beginning, days, zone
from scriza.kernel.errors import BadInput
from scriza.modules.usage.grains import Parts, Piece, What, decode, merged, pieces
from scriza.modules.usage.reading import Quantities
from scriza.modules.usage.sums import QUARTER, Sums, total
from scriza.ports.credit import Group, Invoice, InvoiceLine, Summary, Totals

_TOP = 5
_NO_AGENT = "unknown"
"""Of what belongs to no call, or to one that is not over."""
_BACK = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_LONGEST = timedelta(days=3_660)


class Stretch(NamedTuple):
    """A part of a span that is told of apart, and what it is made up of."""

    name: str
    pieces: list[Piece]


class Span(msgspec.Struct, frozen=True):
    """From when to when, both in UTC, and the zone whose days count."""

    since: datetime
    until: datetime
    tz: str


def span_of(since: str, until: str, tz: str, now: datetime) -> Span:
    """What ``today``, ``24h``, ``7d``, ``30d``, ``month`` or a moment means now, in whole quarters. Raises BadInput."""
    here = zone(tz)
    ending = _moment(until, here) if until else now
    today = now.astimezone(here).date()
    if since == "today":
        began = beginning(today, here)
    elif since == "month":
        began = beginning(today.replace(day=1), here)
    elif since in _BACK:
        began = now - _BACK[since]
    else:
        began = _moment(since, here)
    if began >= ending:
        raise BadInput("since: the span ends before it begins")
    if ending - began > _LONGEST:
        raise BadInput("since: ten years at most")
    return Span(_quarter(began), ending, tz)


def month_of(month: str, tz: str) -> Span:
    """A month of the zone, ``2026-11``. Raises BadInput."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise BadInput("write a month as 2026-11") from None
    following = (first + timedelta(days=32)).replace(day=1)
    here = zone(tz)
    return Span(beginning(first, here), beginning(following, here), tz)


def stretches(span: Span, group_by: str) -> list[Stretch]:
    """The days of a span where they are asked for, else all of it."""
    return list(_days(span)) if group_by == "day" else [Stretch("", pieces(span.since, span.until))]


def summary(told: Collection[Stretch], sums: Mapping[Piece, bytes], span: Span, group_by: str) -> Summary:
    """Totals, groups and the agents that cost most; `sums` are those of the stretches' pieces."""
    parts = {stretch.name: _used_in(stretch, sums) for stretch in told}
    whole = merged(parts.values())
    groups = []
    if group_by == "day":
        groups = [Group(day, totals(total(used.values()))) for day, used in parts.items() if used]
    elif group_by:
        groups = _grouped(whole, _agent if group_by == "agent" else _model)
    by_agent = [group for group in _grouped(whole, _agent) if group.name != _NO_AGENT]
    return Summary(
        since=span.since,
        until=span.until,
        tz=span.tz,
        totals=totals(total(whole.values())),
        groups=groups,
        top_agents=sorted(by_agent, key=lambda group: (-group.totals.cost_micro_usd, group.name))[:_TOP],
    )


def invoice(stretch: Stretch, sums: Mapping[Piece, bytes], span: Span, workspace: str, month: str) -> Invoice:
    """A line for each thing that was used."""
    by_item: dict[tuple[str, str], list[Sums]] = defaultdict(list)
    for what, used in _used_in(stretch, sums).items():
        by_item[what.kind, what.item].append(used)
    lines = [_line(kind, item, total(parts)) for (kind, item), parts in sorted(by_item.items())]
    lines = [line for line in lines if line.quantity or line.cost_micro_usd]
    return Invoice(workspace, month, span.since, span.until, lines, sum(line.cost_micro_usd for line in lines))


def totals(used: Quantities) -> Totals:
    """As people read it."""
    return Totals(
        calls=used.calls,
        minutes=round(used.call_seconds / 60, 2),
        call_seconds=used.call_seconds,
        prompt_tokens=used.prompt_tokens,
        cached_prompt_tokens=used.cached_prompt_tokens,
        completion_tokens=used.completion_tokens,
        total_tokens=used.prompt_tokens + used.completion_tokens,
        characters=used.characters,
        audio_ms=used.audio_ms,
        cost_micro_usd=used.cost_micro_usd,
        saved_micro_usd=used.saved_micro_usd,
        saved_tokens=used.saved_tokens,
        cached_characters=used.cached_characters,
    )


def _line(kind: str, item: str, used: Quantities) -> InvoiceLine:
    match kind:
        case "llm":
            quantity, unit = used.prompt_tokens + used.completion_tokens, "tokens"
        case "tts":
            quantity, unit = used.characters, "characters"
        case "asr":
            quantity, unit = used.audio_ms // 1000, "seconds"
        case _:
            quantity, unit = used.call_seconds, "seconds"
    fields = {"kind": kind, "item": item, "quantity": quantity, "unit": unit, "cost_micro_usd": used.cost_micro_usd}
    return msgspec.convert(fields, InvoiceLine)


def _days(span: Span) -> Iterator[Stretch]:
    here, last = zone(span.tz), span.until - timedelta(microseconds=1)
    for day in days(span.since.astimezone(here).date(), last.astimezone(here).date()):
        began, ended = beginning(day, here), beginning(day + timedelta(days=1), here)
        yield Stretch(day.isoformat(), pieces(max(began, span.since), min(ended, span.until)))


def _used_in(stretch: Stretch, sums: Mapping[Piece, bytes]) -> Parts:
    return merged(decode(sums[piece]) for piece in stretch.pieces if piece in sums)


def _grouped(used: Parts, name: Callable[[What], str]) -> list[Group]:
    parts: dict[str, list[Sums]] = defaultdict(list)
    for what, sums in used.items():
        parts[name(what)].append(sums)
    return [Group(part, totals(total(sums))) for part, sums in sorted(parts.items())]


def _model(what: What) -> str:
    return what.item if what.kind == "llm" else what.kind


def _agent(what: What) -> str:
    return what.agent or _NO_AGENT


def _moment(text: str, here: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("since: write today, 24h, 7d, 30d, month, or a moment such as 2026-11-30T09:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=here)).astimezone(UTC)


def _quarter(moment: datetime) -> datetime:
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(QUARTER.total_seconds()), UTC)
