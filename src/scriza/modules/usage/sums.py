"""What was used, added up by quarter of an hour, kind, item and agent: what a batch of events changes. Pure.

Which agent (playbook version) has led a call is known when the call has ended. Until then its events are in the sums
of no agent, and move over to the agent's when it is known. So the sums are the same in whatever order events arrive.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from scriza.modules.usage.reading import Quantities, Used

QUARTER = timedelta(minutes=15)

Sums = dict[str, int]


class Cell(msgspec.Struct, frozen=True):
    """Where something is added up; `quarter` is its beginning, in seconds since 1970."""

    quarter: int
    kind: str
    item: str
    agent: str = ""

    @property
    def part(self) -> str:
        """Its name among the parts of a call, where no dots and dollars may be."""
        item = self.item.replace("%", "%25").replace(".", "%2E").replace("$", "%24")
        return f"{self.quarter}|{self.kind}|{item}"

    @staticmethod
    def of_part(part: str, agent: str) -> "Cell":
        """The cell that a call's part is in, under an agent."""
        quarter, kind, item = part.split("|", 2)
        item = item.replace("%24", "$").replace("%2E", ".").replace("%25", "%")
        return Cell(int(quarter), kind, item, agent)


class CallSums(msgspec.Struct, frozen=True):
    """What a call has used so far."""

    call_id: str
    agent: str = ""
    ended: bool = False
    parts: dict[str, Sums] = {}


class Changes:
    """What a batch adds to the cells, and to the calls' own sums."""

    def __init__(self) -> None:
        self.cells: dict[Cell, Sums] = defaultdict(lambda: defaultdict(int))
        self.parts: dict[str, dict[str, Sums]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        self.ended: dict[str, str] = {}
        """Agents of the calls that have ended in this batch."""

    def add(self, cell: Cell, sums: Mapping[str, int], times: int = 1) -> None:
        """Add to a cell, or with -1 take away from it."""
        into = self.cells[cell]
        for name, amount in sums.items():
            into[name] += times * amount


def changes(batch: Sequence[Used], calls: Mapping[str, CallSums]) -> Changes:
    """What these events, none of which was counted before, change; `calls` are the sums of their calls so far."""
    found = Changes()
    found.ended = {used.call_id: used.agent for used in batch if used.kind == "call" and used.call_id}
    for call_id, agent in found.ended.items():
        if call_id in calls and calls[call_id].ended:
            continue
        for part, sums in calls.get(call_id, CallSums(call_id)).parts.items():
            found.add(Cell.of_part(part, ""), sums, -1)
            found.add(Cell.of_part(part, agent), sums)
    for used in batch:
        known = calls.get(used.call_id)
        agent = found.ended.get(used.call_id, known.agent if known and known.ended else "")
        cell = Cell(quarter_of(used.at), used.kind, used.item, agent)
        sums = sums_of(used.quantities)
        found.add(cell, sums)
        if used.call_id:
            into = found.parts[used.call_id][cell.part]
            for name, amount in sums.items():
                into[name] += amount
    return found


def quarter_of(moment: datetime) -> int:
    """When the quarter of an hour began in which a moment lies."""
    seconds = int(moment.timestamp())
    return seconds - seconds % int(QUARTER.total_seconds())


def sums_of(quantities: Quantities) -> Sums:
    """Only what is not zero."""
    return {name: amount for name, amount in msgspec.structs.asdict(quantities).items() if amount}


def total(sums: Iterable[Mapping[str, int]]) -> Quantities:
    """All together."""
    added: Sums = defaultdict(int)
    for one in sums:
        for name, amount in one.items():
            added[name] += amount
    return Quantities(**added)
