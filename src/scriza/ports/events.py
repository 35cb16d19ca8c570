"""How facts travel between modules: told once through the outbox, heard at least once by every consumer."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from scriza.kernel.events import Event, Topic

Handler = Callable[[Event], Awaitable[None]]


class Publisher(Protocol):
    """Tells facts that belong to no transaction, and waits until they are kept."""

    async def publish(self, *events: Event) -> None:
        """Keep the events durably for delivery. The same id again is fine and delivered once more at most."""
        ...


class Teller(Protocol):
    """Tells facts in the background, for those who may wait for nobody: the audio path does not wait for the store."""

    def tell(self, *events: Event) -> None:
        """Have the events kept soon, in this order. Never waits; what finds no place is counted in the log as lost."""
        ...


class EventBus(Protocol):
    """Delivers what the outbox holds."""

    def subscribe(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        """`handler` gets each event once per `consumer` name, also across restarts; if it raises, it gets it again."""
        ...
