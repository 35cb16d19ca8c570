"""The webhooks module's port."""

from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.cursor import cursor, read_cursor
from scriza.kernel.errors import BadInput, Conflict
from scriza.kernel.ids import new_id
from scriza.kernel.principal import current
from scriza.modules.webhooks.book import WebhookRecord, trial_of
from scriza.modules.webhooks.letters import MAILED, address_of, is_letter
from scriza.modules.webhooks.signing import new_secret
from scriza.modules.webhooks.stored import MongoWebhooks
from scriza.ports.poster import Poster
from scriza.ports.webhooks import (
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    Resent,
    Webhook,
    WebhookList,
    WebhookMade,
    WebhookWish,
)

OLD_SECRET_LASTS = timedelta(days=1)
_MOST = 20

replaced = msgspec.structs.replace


class Seals(Protocol):
    """Keeps secrets sealed at rest; `about` binds one to what it belongs to."""

    def seal(self, secret: bytes, about: str) -> bytes:
        """Sealed."""
        ...

    def open(self, sealed: bytes, about: str) -> bytes:
        """Raises Unavailable when it cannot be opened."""
        ...


class _Place(msgspec.Struct, frozen=True):
    told_at: datetime
    delivery_id: str


class WebhooksService:
    """Implements Webhooks for the workspace of the request."""

    def __init__(self, book: MongoWebhooks, poster: Poster, seal: Seals, clock: WallClock = utc_now) -> None:
        self._book, self._poster, self._seal, self._clock = book, poster, seal, clock

    async def add(self, wish: WebhookWish) -> WebhookMade:
        """See Webhooks."""
        self._check(wish)
        workspace = current().principal.workspace
        if len(await self._book.of(workspace)) >= _MOST:
            raise Conflict(f"a workspace has at most {_MOST} webhooks")
        webhook_id = new_id("whk")
        secret = "" if is_letter(wish.url) else new_secret()
        webhook = WebhookRecord(
            webhook_id=webhook_id,
            workspace=workspace,
            url=wish.url,
            events=wish.events,
            note=wish.note,
            enabled=wish.enabled,
            created_at=self._clock(),
            secret=self._seal.seal(secret.encode(), webhook_id) if secret else b"",
        )
        await self._book.add(webhook)
        return WebhookMade(webhook.shown(), secret)

    async def all(self) -> WebhookList:
        """See Webhooks."""
        return WebhookList([webhook.shown() for webhook in await self._book.of(current().principal.workspace)])

    async def one(self, webhook_id: str) -> Webhook:
        """See Webhooks."""
        return (await self._known(webhook_id)).shown()

    async def change(self, webhook_id: str, wish: WebhookWish) -> Webhook:
        """See Webhooks."""
        self._check(wish)
        webhook = await self._known(webhook_id)
        if is_letter(wish.url) != is_letter(webhook.url):
            raise BadInput("url: letters and URLs are webhooks of two kinds; make another one")
        changed = replaced(webhook, url=wish.url, events=wish.events, note=wish.note, enabled=wish.enabled)
        fields = ["url", "events", "note", "enabled"]
        if wish.enabled:
            changed = replaced(changed, off_because="", failing_since=None)
            fields += ["off_because", "failing_since"]
        await self._book.change(changed, *fields)
        return changed.shown()

    async def remove(self, webhook_id: str) -> None:
        """See Webhooks."""
        await self._book.remove(current().principal.workspace, webhook_id)

    async def new_secret(self, webhook_id: str) -> WebhookMade:
        """See Webhooks."""
        webhook = await self._known(webhook_id)
        if not webhook.secret:
            raise BadInput("letters are not signed")
        secret = new_secret()
        changed = replaced(
            webhook,
            secret=self._seal.seal(secret.encode(), webhook_id),
            old_secret=webhook.secret,
            old_secret_until=self._clock() + OLD_SECRET_LASTS,
        )
        await self._book.change(changed, "secret", "old_secret", "old_secret_until")
        return WebhookMade(changed.shown(), secret)

    async def test(self, webhook_id: str) -> Delivery:
        """See Webhooks."""
        delivery = trial_of(await self._switched_on(webhook_id), self._clock())
        await self._book.expect(delivery)
        return delivery.shown()

    async def deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        """See Webhooks."""
        place = read_cursor(query.cursor, _Place) if query.cursor else None
        before = (place.told_at, place.delivery_id) if place else None
        found = await self._book.page(current().principal.workspace, query, before, query.limit + 1)
        shown = found[: query.limit]
        last = shown[-1] if len(found) > query.limit else None
        return DeliveryPage(
            [delivery.shown() for delivery in shown],
            cursor(_Place(last.told_at, last.delivery_id)) if last else "",
        )

    async def resend(self, delivery_id: str) -> Delivery:
        """See Webhooks."""
        workspace = current().principal.workspace
        await self._switched_on((await self._book.delivery(workspace, delivery_id)).webhook_id)
        await self._book.again(workspace, {"_id": delivery_id}, self._clock())
        return (await self._book.delivery(workspace, delivery_id)).shown()

    async def resend_all(self, webhook_id: str) -> Resent:
        """See Webhooks."""
        await self._switched_on(webhook_id)
        which = {"webhook_id": webhook_id, "state": "dead"}
        return Resent(await self._book.again(current().principal.workspace, which, self._clock()))

    async def _known(self, webhook_id: str) -> WebhookRecord:
        return await self._book.one(current().principal.workspace, webhook_id)

    async def _switched_on(self, webhook_id: str) -> WebhookRecord:
        webhook = await self._known(webhook_id)
        if not webhook.enabled:
            raise Conflict("the webhook is switched off")
        return webhook

    def _check(self, wish: WebhookWish) -> None:
        if not is_letter(wish.url):
            self._poster.check(wish.url)
            return
        if not address_of(wish.url):
            raise BadInput("url: write mailto: and one address")
        if odd := sorted(set(wish.events) - MAILED):
            raise BadInput(f"events: {odd[0]} is not told in letters, which anybody on their way can read")
