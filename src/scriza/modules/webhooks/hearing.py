"""Hears the events that webhooks are told of, and that calls are to be forgotten."""

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event, Topic
from scriza.modules.webhooks.book import delivery_of
from scriza.modules.webhooks.stored import MongoWebhooks
from scriza.ports.erasure import erased_event, forgotten_in
from scriza.ports.events import Publisher

MODULE = "webhooks"
TOPICS = frozenset(
    {Topic.CALL_COMPLETED, Topic.CALL_OUTCOME, Topic.LEAD_HOT, Topic.CREDIT_THRESHOLD, Topic.USAGE_SUMMARY}
)


class Hearing:
    """Notes a delivery for each webhook that wants the event; hearing it again adds none."""

    def __init__(self, book: MongoWebhooks, clock: WallClock = utc_now) -> None:
        self._book, self._clock = book, clock

    async def hear(self, event: Event) -> None:
        """Raises what the store raises; hearing it again is fine."""
        for webhook in await self._book.of(event.workspace):
            if webhook.enabled and event.type in webhook.events:
                await self._book.expect(delivery_of(webhook, event, self._clock()))


class WebhookForgetting:
    """The consumer of `caller.forgotten`: what is kept for delivery tells of calls."""

    def __init__(self, book: MongoWebhooks, publisher: Publisher, clock: WallClock = utc_now) -> None:
        self._book, self._publisher, self._clock = book, publisher, clock

    async def forget(self, order: Event) -> None:
        """Erase and tell so. Raises what the store raises; doing it again is fine."""
        deliveries = await self._book.forget(order.workspace, forgotten_in(order).call_ids)
        await self._publisher.publish(erased_event(order, MODULE, {"deliveries": deliveries}, self._clock()))
