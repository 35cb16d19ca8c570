"""A teller that remembers what it was told."""

from scriza.kernel.events import Event


class Told:
    """Implements `ports.events.Teller`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, *events: Event) -> None:
        self.events += events
