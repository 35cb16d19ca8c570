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
        """`handler` gets each event once per `consumer` name, also across restarts.

        If it raises, it gets the event again, later each time; what it can never deal with is put aside in the end, and
        the log tells so. Until it is called, nothing that is told is kept for a consumer whose name no process knows.
        """
        ...

    def subscribe_everywhere(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        """Every process that has the consumer gets each event told while it runs: for what it keeps in memory."""
        ...

    def expect(self, consumer: str, topics: frozenset[Topic]) -> None:
        """A process elsewhere has this consumer: keep events for it also before it has first been there."""
        ...
