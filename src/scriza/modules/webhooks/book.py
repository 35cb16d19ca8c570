"""What is kept of webhooks and of what is on its way to them."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from scriza.kernel.events import Event
from scriza.kernel.ids import derived_id, new_id
from scriza.ports.webhooks import Delivery, DeliveryState, Told, Webhook

KEPT = timedelta(days=30)
"""So long after it was told a delivery is known."""
TRIAL = "webhook.test"


class WebhookRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook. Secrets are sealed; empty where there is none."""

    webhook_id: str
    workspace: str
    url: str
    events: list[Told]
    note: str
    enabled: bool
    created_at: datetime
    off_because: Literal["", "gone", "failing"] = ""
    failing_since: datetime | None = None
    secret: bytes = b""
    old_secret: bytes = b""
    old_secret_until: datetime | None = None

    def shown(self) -> Webhook:
        """Without secrets."""
        fields = {name: getattr(self, name) for name in Webhook.__struct_fields__}
        return Webhook(**fields)


class DeliveryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery; `due_at` is none at its end."""

    delivery_id: str
    workspace: str
    webhook_id: str
    event_id: str
    event: str
    subject: str
    body: bytes
    state: DeliveryState = "waiting"
    attempts: int = 0
    told_at: datetime
    due_at: datetime | None
    last_status: int = 0
    last_failure: str = ""
    forget_at: datetime

    def shown(self) -> Delivery:
        """Without the event itself."""
        fields = {name: getattr(self, name) for name in Delivery.__struct_fields__ if name != "next_at"}
        return Delivery(**fields, next_at=self.due_at)


def delivery_of(webhook: WebhookRecord, event: Event, now: datetime) -> DeliveryRecord:
    """The event's way to the webhook; the same however often the event is heard."""
    return DeliveryRecord(
        delivery_id=derived_id("dlv", webhook.webhook_id, event.id),
        workspace=webhook.workspace,
        webhook_id=webhook.webhook_id,
        event_id=event.id,
        event=event.type,
        subject=event.subject,
        body=msgspec.json.encode(event),
        told_at=now,
        due_at=now,
        forget_at=now + KEPT,
    )


def trial_of(webhook: WebhookRecord, now: datetime) -> DeliveryRecord:
    """An event that tells of nothing, on its way to the webhook."""
    event_id = new_id("evt")
    told = {
        "specversion": "1.0",
        "id": event_id,
        "type": TRIAL,
        "source": "scriza/webhooks",
        "subject": webhook.webhook_id,
        "time": now,
        "workspace": webhook.workspace,
        "data": {},
    }
    return DeliveryRecord(
        delivery_id=derived_id("dlv", webhook.webhook_id, event_id),
        workspace=webhook.workspace,
        webhook_id=webhook.webhook_id,
        event_id=event_id,
        event=TRIAL,
        subject=webhook.webhook_id,
        body=msgspec.json.encode(told),
        told_at=now,
        due_at=now,
        forget_at=now + KEPT,
    )
