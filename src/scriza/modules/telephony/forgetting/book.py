"""The orders to forget somebody, and the calls and messages that they are about: the door behind which it is kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from scriza.kernel.events import Event


class KnownCall(msgspec.Struct, frozen=True):
    """A call with who is to be forgotten, of which something is left."""

    call_id: str
    ended: bool
    """And nothing more of it is on its way to anybody."""
    order_id: str
    """The order by which we placed it; empty for one that came in."""
    changed_at: datetime
    """When something last happened to it."""


class ForgettingBook(Protocol):
    """Keeps orders, which are `caller.forgotten` events, until they are carried out. Every method is idempotent.

    What is known of a person is what began before the order: who comes back is a new caller.
    """

    async def begin(self, order: Event) -> None:
        """Keep an order; one that was carried out already begins anew, and finds nothing."""
        ...

    async def open(self, limit: int) -> list[Event]:
        """Orders of any workspace that are not carried out yet, the oldest first."""
        ...

    async def calls(self, order: Event) -> list[KnownCall]:
        """The person's calls that are not erased yet."""
        ...

    async def erase_call(self, order: Event, call_id: str) -> None:
        """Leave of a call that has ended nothing but figures, to which nothing can be added."""
        ...

    async def erase_messages(self, order: Event, until: datetime) -> None:
        """Erase what the person has written until then, with no call."""
        ...

    async def note(self, order: Event, erased: Mapping[str, int]) -> None:
        """Count what was erased elsewhere, by kind."""
        ...

    async def done(self, order: Event) -> None:
        """The order is carried out: drop it and tell `caller.erased`, in one transaction."""
        ...
