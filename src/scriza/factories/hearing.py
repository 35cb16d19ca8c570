"""Who hears which events."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from scriza.kernel.events import Event, Topic
from scriza.ports.events import EventBus, Handler

EVERYWHERE = "process"
"""The consumer that each process has of its own, for what its modules have in memory."""


class Hears(msgspec.Struct, frozen=True):
    """A consumer; `handler` is asked for when it is subscribed. Several modules may have a part of `EVERYWHERE`."""

    consumer: str
    topics: frozenset[Topic]
    handler: Callable[[], Handler]


def subscribe(bus: EventBus, hears: Mapping[str, Sequence[Hears]], here: Iterable[str], remote: Iterable[str]) -> None:
    """Subscribe what belongs to the modules that are here, and expect what belongs to those that moved out.

    To be done before anything is told: what is told is kept for consumers whose names are known.
    """
    mine = [each for module in here for each in hears.get(module, ())]
    for each in mine:
        if each.consumer != EVERYWHERE:
            bus.subscribe(each.consumer, each.topics, each.handler())
    if own := [each for each in mine if each.consumer == EVERYWHERE]:
        bus.subscribe_everywhere(EVERYWHERE, frozenset().union(*(each.topics for each in own)), _all(own))
    for each in (each for module in remote for each in hears.get(module, ())):
        if each.consumer != EVERYWHERE:
            bus.expect(each.consumer, each.topics)


def _all(consumers: Sequence[Hears]) -> Handler:
    """One consumer for all of them: each costs the store a look every second."""
    handlers = [(each.topics, each.handler()) for each in consumers]

    async def hear(event: Event) -> None:
        for topics, handler in handlers:
            if event.type in topics:
                await handler(event)

    return hear
