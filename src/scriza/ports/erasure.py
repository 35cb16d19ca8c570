"""How a module learns that a caller is to be forgotten, and says that it has erased what it kept."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.ports.memory import CallerErased, CallerForgotten

FORGETTING = frozenset({Topic.CALLER_FORGOTTEN})
"""What a consumer that erases is subscribed to."""


def forgotten_in(told: Event) -> CallerForgotten:
    """Who is to be forgotten. Raises msgspec.DecodeError for what is no such event."""
    return msgspec.json.decode(told.data, type=CallerForgotten)


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
