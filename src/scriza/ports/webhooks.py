"""Where a team wants to be told of what happens: at URLs of its own systems, signed, or by letter.

A URL gets each event as it was told, a CloudEvent, by a POST with the three headers of Standard Webhooks
(https://www.standardwebhooks.com): ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``.
"""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

Told = Literal["call.completed", "call.outcome", "lead.hot", "credit.threshold", "usage.summary"]
"""What a webhook may be told of: topics."""
DeliveryState = Literal["waiting", "delivered", "dead"]

_Note = Annotated[str, msgspec.Meta(max_length=200)]
_Url = Annotated[str, msgspec.Meta(min_length=8, max_length=2048)]
_Events = Annotated[list[Told], msgspec.Meta(min_length=1, max_length=5)]


class WebhookWish(msgspec.Struct, frozen=True):
    """A webhook as somebody wants it. `url` is ``https://…``, or ``mailto:…`` for what can be read in a letter."""

    url: _Url
    events: _Events
    note: _Note = ""
    enabled: bool = True


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A webhook."""

    webhook_id: str
    url: str
    events: list[Told]
    note: str
    enabled: bool
    created_at: datetime
    off_because: Literal["", "gone", "failing"] = ""
    """Why it was switched off by itself: the URL said that it is gone (410), or has taken nothing for days."""
    failing_since: datetime | None = None
    old_secret_until: datetime | None = None
    """Until then each delivery is signed with the secret before this one, too."""


class WebhookMade(msgspec.Struct, frozen=True):
    """A webhook and its secret, ``whsec_…``, which is shown this once. Letters are not signed and have none."""

    webhook: Webhook
    secret: str


class WebhookList(msgspec.Struct, frozen=True):
    """All of a workspace."""

    data: list[Webhook]


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event on its way to one webhook."""

    delivery_id: str
    webhook_id: str
    event_id: str
    event: str
    """Its topic; ``webhook.test`` for a trial."""
    state: DeliveryState
    attempts: int
    told_at: datetime
    next_at: datetime | None = None
    """When it is tried again."""
    last_status: int = 0
    """HTTP; 0 when there was no answer."""
    last_failure: str = ""
    """In words; what the other side said is not among them."""


class DeliveryQuery(msgspec.Struct, frozen=True):
    """Newest first, `only` those in one state; `cursor` is the `next` of the page before. What is empty takes all."""

    only: Literal["", "waiting", "delivered", "dead"] = ""
    webhook_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=500)] = ""


class DeliveryPage(msgspec.Struct, frozen=True):
    """One page; `next` is empty on the last."""

    data: list[Delivery]
    next: str = ""


class Resent(msgspec.Struct, frozen=True):
    """So many deliveries are due again."""

    deliveries: int


class Webhooks(Protocol):
    """What is asked of the webhooks module."""

    @operation("POST /api/v1/webhooks", scope=Scope.WEBHOOKS_WRITE, keyed=True)
    async def add(self, wish: WebhookWish) -> WebhookMade:
        """Have events told. Raises BadInput for a URL that may not be asked, Conflict when there are too many."""
        ...

    @operation("GET /api/v1/webhooks", scope=Scope.WEBHOOKS_WRITE)
    async def all(self) -> WebhookList:
        """All webhooks of the workspace."""
        ...

    @operation("GET /api/v1/webhooks/{webhook_id}", scope=Scope.WEBHOOKS_WRITE)
    async def one(self, webhook_id: str) -> Webhook:
        """One webhook. Raises NotFound."""
        ...

    @operation("PUT /api/v1/webhooks/{webhook_id}", scope=Scope.WEBHOOKS_WRITE, idempotent=True)
    async def change(self, webhook_id: str, wish: WebhookWish) -> Webhook:
        """Change it, or switch it on again. Raises NotFound, and BadInput as `add` does."""
        ...

    @operation("DELETE /api/v1/webhooks/{webhook_id}", scope=Scope.WEBHOOKS_WRITE, idempotent=True)
    async def remove(self, webhook_id: str) -> None:
        """Take it away with all that waits for it."""
        ...

    @operation("POST /api/v1/webhooks/{webhook_id}/secret", scope=Scope.WEBHOOKS_WRITE, keyed=True)
    async def new_secret(self, webhook_id: str) -> WebhookMade:
        """A new secret; the old one signs beside it for a day. Raises NotFound, and BadInput for a letter's."""
        ...

    @operation("POST /api/v1/webhooks/{webhook_id}/test", scope=Scope.WEBHOOKS_WRITE, keyed=True)
    async def test(self, webhook_id: str) -> Delivery:
        """Deliver a trial event. Raises NotFound, and Conflict when it is switched off."""
        ...

    @operation("GET /api/v1/webhook-deliveries", scope=Scope.WEBHOOKS_WRITE)
    async def deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        """Deliveries; ``only=dead`` are those that were given up. Raises BadInput for what is no cursor."""
        ...

    @operation("POST /api/v1/webhook-deliveries/{delivery_id}/resend", scope=Scope.WEBHOOKS_WRITE, keyed=True)
    async def resend(self, delivery_id: str) -> Delivery:
        """Deliver it (again), from the beginning of its schedule. Raises NotFound, and Conflict as `test` does."""
        ...

    @operation("POST /api/v1/webhooks/{webhook_id}/resend", scope=Scope.WEBHOOKS_WRITE, keyed=True)
    async def resend_all(self, webhook_id: str) -> Resent:
        """Deliver all again that were given up. Raises NotFound, and Conflict as `test` does."""
        ...
