"""How a module learns that a caller is to be forgotten, and says that it has erased what it kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.ports.memory import CallerErased, CallerForgotten

FORGETTING = frozenset({Topic.CALLER_FORGOTTEN})
"""What a consumer that erases is subscribed to."""
ERASED = frozenset({Topic.CALLER_ERASED})
"""What a process is subscribed to that has copies in its memory of what is erased elsewhere."""


class Forgets(Protocol):
    """A module's two consumers: of what is to be forgotten, and of what was erased, by itself in some process."""

    async def forget(self, order: Event) -> None:
        """Erase, and tell so."""
        ...

    async def erased(self, proof: Event) -> None:
        """Drop what this process has in memory of it."""
        ...


def forgotten_in(told: Event) -> CallerForgotten:
    """Who is to be forgotten. Raises msgspec.DecodeError for what is no such event."""
    return msgspec.json.decode(told.data, type=CallerForgotten)


def erased_in(told: Event) -> CallerErased:
    """Who has erased what. Raises msgspec.DecodeError for what is no such event."""
    return msgspec.json.decode(told.data, type=CallerErased)


def erased_event(told: Event, module: str, erased: Mapping[str, int], time: datetime) -> Event:
    """The answer to one `caller.forgotten`; the same however often it is given, so that it counts once."""
    asked = forgotten_in(told)
    return event(
        Topic.CALLER_ERASED,
        CallerErased(asked.erasure_id, module, {kind: count for kind, count in erased.items() if count}),
        source=module,
        subject=asked.erasure_id,
        key=f"{module}/{told.id}",
        time=time,
        workspace=told.workspace,
        request_id=told.request_id,
    )
