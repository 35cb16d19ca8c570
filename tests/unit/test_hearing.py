"""Which consumers a process subscribes, and for which of others it keeps events."""

from datetime import UTC, datetime

import msgspec

from scriza.factories.hearing import EVERYWHERE, Hears, subscribe
from scriza.kernel.events import Event, Topic
from scriza.ports.events import Handler

STARTED, ERASED = frozenset({Topic.CALL_STARTED}), frozenset({Topic.CALLER_ERASED})


class Bus:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.here: dict[str, Handler] = {}
        self.everywhere: list[tuple[str, frozenset[Topic], Handler]] = []
        self.expected: dict[str, frozenset[Topic]] = {}

    def subscribe(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        self.here[consumer] = handler

    def subscribe_everywhere(self, consumer: str, topics: frozenset[Topic], handler: Handler) -> None:
        self.everywhere.append((consumer, topics, handler))

    def expect(self, consumer: str, topics: frozenset[Topic]) -> None:
        self.expected[consumer] = topics


class Ear:
    def __init__(self) -> None:
        self.heard: list[Topic] = []

    async def __call__(self, event: Event) -> None:
        self.heard.append(event.type)


def never() -> Handler:
    raise AssertionError("what is elsewhere is not made here")


def told(topic: Topic) -> Event:
    return Event("evt_1", topic, "scriza/test", "CA1", datetime(2026, 3, 1, tzinfo=UTC), "default", msgspec.Raw(b"{}"))


def test_a_module_that_moved_out_is_expected_and_one_that_nobody_has_is_not() -> None:
    bus = Bus()
    hears = {name: (Hears(name, STARTED, Ear if name == "here" else never),) for name in ("here", "there", "nowhere")}
    subscribe(bus, hears, ["here"], ["there"])
    assert (list(bus.here), bus.expected) == (["here"], {"there": STARTED})


async def test_what_modules_have_in_memory_is_one_consumer_of_the_process() -> None:
    bus, one, other = Bus(), Ear(), Ear()
    hears = {
        "one": (Hears(EVERYWHERE, ERASED, lambda: one),),
        "other": (Hears(EVERYWHERE, STARTED, lambda: other),),
        "remote": (Hears(EVERYWHERE, ERASED, never),),
    }
    subscribe(bus, hears, ["one", "other"], ["remote"])
    ((name, topics, handler),) = bus.everywhere
    assert (name, topics, bus.here, bus.expected) == (EVERYWHERE, STARTED | ERASED, {}, {})
    await handler(told(Topic.CALLER_ERASED))
    await handler(told(Topic.CALL_STARTED))
    assert (one.heard, other.heard) == ([Topic.CALLER_ERASED], [Topic.CALL_STARTED])
