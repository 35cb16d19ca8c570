"""How facts travel between modules: told once through the outbox, heard at least once by every consumer."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from scriza.kernel.events import Event, Topic

Handler = Callable[[Event], Awaitable[None]]


class Publisher(Protocol):
    """Tells facts that belong to no transaction of the teller's."""

    async def publish(self, *events: Event) -> None:
        """Keep the events durably for delivery. The same id again is fine and delivered once more at most."""
        ...


class EventBus(Protocol):
    """Delivers what the outbox holds."""

    def subscribe(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        """`handler` gets each event once per `consumer` name, also across restarts; if it raises, it gets it again."""
        ...
