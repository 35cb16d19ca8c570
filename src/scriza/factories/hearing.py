"""Who hears which events."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from scriza.kernel.events import Topic
from scriza.ports.events import EventBus, Handler


class Hears(msgspec.Struct, frozen=True):
    """A consumer. `handler` is asked for when it is subscribed; `everywhere`: in each process that has it."""

    consumer: str
    topics: frozenset[Topic]
    handler: Callable[[], Handler]
    everywhere: bool = False


def subscribe(bus: EventBus, hears: Mapping[str, Sequence[Hears]], here: Iterable[str], remote: Iterable[str]) -> None:
    """Subscribe what belongs to the modules that are here, and expect what belongs to those that moved out.

    To be done before anything is told: what is told is kept for consumers whose names are known.
    """
    for module in here:
        for each in hears.get(module, ()):
            join = bus.subscribe_everywhere if each.everywhere else bus.subscribe
            join(each.consumer, each.topics, each.handler())
    for module in remote:
        for each in hears.get(module, ()):
            if not each.everywhere:
                bus.expect(each.consumer, each.topics)
