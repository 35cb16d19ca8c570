"""What the counting reads and keeps: the doors behind which it is kept."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

import msgspec

from scriza.kernel.calendar import SLOTS
from scriza.modules.memory.reports.days import Counted, Day, DayKey
from scriza.modules.memory.reports.figures import F
from scriza.ports.memory import RememberedCall


class Mark(msgspec.Struct, frozen=True):
    """A call whose log has changed since it was counted. Each change leaves another `token`."""

    workspace: str
    call_id: str
    token: str


class StoredDay(msgspec.Struct, frozen=True):
    """One day's sums as they are kept, with at least the quarters that were asked for."""

    key: DayKey
    total: bytes
    quarters: dict[int, bytes]

    def open(self, kind: type[F]) -> Day[F]:
        """The sums, so much of them as `kind` holds."""
        return Day.decode(self.total, self.quarters, kind)


ALL_QUARTERS = tuple(range(SLOTS))


class DaysWanted(msgspec.Struct, frozen=True):
    """Days of UTC, the last one included, and which of their quarters; empty filters take all."""

    since: date
    until: date
    quarters: tuple[int, ...]
    agent: str = ""
    playbooks: tuple[str, ...] = ()
    direction: str = ""


class FiguresBook(Protocol):
    """Keeps figures. Every method is atomic, and done again does nothing more."""

    async def uncounted(self, limit: int) -> list[Mark]:
        """Calls that wait to be counted, the longest waiting first."""
        ...

    async def count(self, workspace: str, counts: Sequence[tuple[Mark, Counted]]) -> None:
        """Count calls of one workspace anew: what each added before is taken back in the same step.

        A call that is sealed stays as it is. Marks go, unless the log has changed meanwhile.
        """
        ...

    async def put_off(self, marks: Sequence[Mark]) -> None:
        """Let others go first: these cannot be counted now."""
        ...

    async def drop(self, marks: Sequence[Mark]) -> None:
        """Take marks away of calls that have nothing to count."""
        ...

    async def mark(self, workspace: str, call_ids: Sequence[str]) -> None:
        """Have calls counted anew."""
        ...

    async def days(self, workspace: str, wanted: DaysWanted) -> list[StoredDay]:
        """The days' sums, sealed ones too."""
        ...

    async def rebuild(self, workspace: str, day: date) -> int:
        """Add a day's sums up from its calls; how many of them were not what they should be."""
        ...


class Unanswerable(msgspec.Struct, frozen=True):
    """Words of a caller to which the playbook had no answer."""

    call_id: str
    words: str
    stage: str
    said_at: datetime
    playbook: str = ""
    direction: str = ""
    outcome: str = ""


class Log(Protocol):
    """What the counting reads of the calls that are remembered."""

    async def call(self, workspace: str, call_id: str) -> RememberedCall | None:
        """A call with its turns; None when it is not remembered any more."""
        ...

    async def call_ids(self, workspace: str, day: date) -> list[str]:
        """Calls that began on a day of UTC."""
        ...

    async def unanswered(self, workspace: str, since: datetime, until: datetime, limit: int) -> list[Unanswerable]:
        """The latest words without an answer, of turns from `since` up to `until`."""
        ...
