"""What is kept about calls that we place and people who must not be called: the doors behind which it is kept."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from scriza.modules.telephony.placing.intents import Intent
from scriza.ports.call_desk import BarredNumber, PhoneNumber, Switch


class Standing(msgspec.Struct, frozen=True):
    """How much of a workspace's caps is taken, in the moment in which an intent is admitted."""

    open_calls: int
    """Placed or about to be, and not over; a call whose end nobody told is over when it has had its longest time."""
    calling: bool
    """One of them is to the same number."""
    spent_micro_usd: int
    """Of this day (UTC), with what is reserved."""


class IntentBook(Protocol):
    """Keeps intents. Every method is idempotent and leaves nothing half done when the process dies in it."""

    async def record(self, intent: Intent, admit: Callable[[Standing], None]) -> Intent:
        """Keep a new intent; the one that is there already when its id is known.

        `admit` is asked about a call, and raises what the caller is to get when the caps of the workspace do not allow
        it; two that are recorded at the same time, in any process, cannot both take the last place.
        """
        ...

    async def change(self, old: Intent, new: Intent) -> bool:
        """Put `new` in the place of `old`; False, and nothing changes, when it is not `old` any more."""
        ...

    async def find(self, intent_id: str) -> Intent | None:
        """The intent as it is now."""
        ...

    async def of(self, workspace: str, who: str, before: datetime) -> list[Intent]:
        """Those to a person, by the pseudonym of their number, that were recorded by then."""
        ...

    async def owned(self, carrier_ids: list[str]) -> set[str]:
        """Which of the carrier's ids are those of intents that are done."""
        ...

    async def due(self, now: datetime, limit: int) -> list[Intent]:
        """At most `limit` intents of any workspace that are to be taken up now."""
        ...


class NumberBook(Protocol):
    """Keeps what is said about our numbers."""

    async def put(self, workspace: str, number: PhoneNumber) -> None:
        """Keep a number's settings. Raises Conflict when it is another workspace's."""
        ...

    async def find(self, number: str) -> tuple[str, PhoneNumber] | None:
        """The workspace of a number, and its settings."""
        ...

    async def of(self, workspace: str) -> list[PhoneNumber]:
        """The workspace's numbers, in their order."""
        ...

    async def forget(self, workspace: str, number: str) -> None:
        """Drop a number's settings, if the workspace has them."""
        ...


class BarredBook(Protocol):
    """Keeps the do-not-call lists."""

    async def put(self, workspace: str, entry: BarredNumber) -> BarredNumber:
        """Put a number on the list; returns the entry that stands: the older one, but the team's before any other."""
        ...

    async def find(self, workspace: str, number: str) -> BarredNumber | None:
        """A number's entry."""
        ...

    async def page(self, workspace: str, limit: int, after: str) -> list[BarredNumber]:
        """At most `limit` entries, in the order of their numbers, behind the number `after`."""
        ...

    async def forget(self, workspace: str, number: str, *, only_source: str = "") -> None:
        """Take a number off the list; with `only_source` only an entry that came from there."""
        ...

    async def erase(self, workspace: str, who: str) -> int:
        """Keep of a person's entry nothing but the pseudonym of their number, by which they are still not called.

        Returns how many entries were changed. The entry's `number` is the pseudonym from then on.
        """
        ...


class SwitchBook(Protocol):
    """Keeps the switch that stops all calls, for all processes."""

    async def read(self) -> Switch:
        """How it stands."""
        ...

    async def set(self, *, stopped: bool, at: datetime) -> Switch:
        """Turn it; one that stands so already keeps its time."""
        ...
