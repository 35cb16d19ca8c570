"""A publisher that remembers what it was told, after failing as often as a test wants it."""

from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Event


class Told:
    """Implements `ports.events.Publisher`; the first `failing` tries fail."""

    def __init__(self, failing: int = 0) -> None:
        self.events: list[Event] = []
        self.failing = failing

    async def publish(self, *events: Event) -> None:
        if self.failing:
            self.failing -= 1
            raise Unavailable("the store is away")
        self.events += events
