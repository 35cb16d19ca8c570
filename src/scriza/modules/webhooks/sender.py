"""Makes the deliveries that are due: a few side by side, and of each webhook no more than two.

Several processes may do so: whoever takes a delivery in the store makes it.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import NotFound, ScrizaError
from scriza.modules.webhooks.book import DeliveryRecord, WebhookRecord
from scriza.modules.webhooks.letters import address_of, is_letter, letter
from scriza.modules.webhooks.schedule import Next, after, off_because
from scriza.modules.webhooks.service import Seals
from scriza.modules.webhooks.signing import signed
from scriza.modules.webhooks.stored import MongoWebhooks
from scriza.ports.mail import Mail
from scriza.ports.poster import Posted, Poster

_log = structlog.get_logger()

_SIDE_BY_SIDE = 32
_TO_ONE = 2
"""Deliveries to one webhook at a time: a slow one must not take all places."""
_LOOK_S = 1.0
_LOOK_AT = 50
_DEADLINE_S = 20.0
LEASE = timedelta(seconds=60)
"""Longer than the deadline: nobody else begins while the delivery may still be under way."""
_TAKEN = Posted(200)


class Body(msgspec.Struct):
    """What a letter needs of an event."""

    data: msgspec.Raw


class Sender:
    """Delivers. `chance` gives numbers between 0 and 1, for the pauses."""

    def __init__(
        self,
        book: MongoWebhooks,
        poster: Poster,
        mail: Mail,
        seal: Seals,
        clock: WallClock = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._book, self._poster, self._mail, self._seal = book, poster, mail, seal
        self._clock, self._chance = clock, chance
        self._under_way: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled. What is under way then is delivered by whoever comes next, when its lease has lapsed."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for delivery in await self._due():
                    if self._has_room(delivery):
                        self._under_way[delivery.webhook_id] += 1
                        tasks.create_task(self._work(delivery)).add_done_callback(self._ended(delivery.webhook_id))
                await asyncio.sleep(_LOOK_S)

    async def work(self) -> int:
        """Make what is due now, one after the other; returns how many attempts were made."""
        made = 0
        for delivery in await self._book.due(self._clock(), _LOOK_AT):
            made += await self._deliver(delivery)
        return made

    def _has_room(self, delivery: DeliveryRecord) -> bool:
        return self._under_way.total() < _SIDE_BY_SIDE and self._under_way[delivery.webhook_id] < _TO_ONE

    def _ended(self, webhook_id: str) -> Callable[[asyncio.Task[None]], None]:
        def ended(_: asyncio.Task[None]) -> None:
            self._under_way[webhook_id] -= 1
            if not self._under_way[webhook_id]:
                del self._under_way[webhook_id]

        return ended

    async def _due(self) -> list[DeliveryRecord]:
        if self._under_way.total() >= _SIDE_BY_SIDE:
            return []
        # However much waits for those that are slow, what is for others is seen.
        busy = [webhook_id for webhook_id, deliveries in self._under_way.items() if deliveries >= _TO_ONE]
        try:
            return await self._book.due(self._clock(), _LOOK_AT, busy)
        except ScrizaError as error:
            _log.warning("webhooks.not_looked", reason=error.detail)
            return []

    async def _work(self, delivery: DeliveryRecord) -> None:
        """The shell around a delivery: whatever it raises, it is logged, and made again when its lease has lapsed."""
        try:
            await self._deliver(delivery)
        except ScrizaError as error:
            _log.warning("webhook.put_off", delivery=delivery.delivery_id, reason=error.slug)
        except Exception:
            _log.exception("webhook.broke", delivery=delivery.delivery_id)

    async def _deliver(self, delivery: DeliveryRecord) -> bool:
        """Make one attempt; False when somebody else makes it."""
        if not await self._book.take(delivery, self._clock() + LEASE):
            return False
        attempts = delivery.attempts + 1
        try:
            webhook = await self._book.one(delivery.workspace, delivery.webhook_id)
        except NotFound:
            webhook = None
        if webhook is None or not webhook.enabled:
            off = Posted(failure="the webhook is switched off")
            await self._book.settle(delivery, off, Next("dead", None))
            return True
        posted = await self._posted(webhook, delivery)
        following = after(posted, attempts, self._clock(), self._chance())
        await self._book.settle(delivery, posted, following)
        await self._note_health(webhook, posted, following)
        tell = _log.info if posted.taken else _log.warning
        tell(
            "webhook.attempted",
            delivery=delivery.delivery_id,
            webhook=webhook.webhook_id,
            topic=delivery.event,
            state=following.state,
            attempts=attempts,
            status=posted.status,
        )
        return True

    async def _posted(self, webhook: WebhookRecord, delivery: DeliveryRecord) -> Posted:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                if is_letter(webhook.url):
                    data = msgspec.json.decode(delivery.body, type=Body).data
                    await self._mail.send(letter(address_of(webhook.url), delivery.event, bytes(data)))
                    return _TAKEN
                now = self._clock()
                secrets = [webhook.secret]
                if webhook.old_secret_until and now < webhook.old_secret_until:
                    secrets.append(webhook.old_secret)
                opened = [self._seal.open(secret, webhook.webhook_id).decode() for secret in secrets]
                headers = signed(opened, delivery.delivery_id, int(now.timestamp()), delivery.body)
                return await self._poster.post(webhook.url, headers, delivery.body)
        except TimeoutError:
            return Posted(failure="it took too long")
        except msgspec.DecodeError:
            return Posted(failure="no letter can be made of it")
        except ScrizaError as error:
            return Posted(failure=error.detail)

    async def _note_health(self, webhook: WebhookRecord, posted: Posted, following: Next) -> None:
        since = None if posted.taken else (webhook.failing_since or self._clock())
        off = off_because(posted, following.state, since, self._clock())
        if off:
            _log.error("webhook.switched_off", webhook=webhook.webhook_id, because=off)
        if off or since != webhook.failing_since:
            with contextlib.suppress(ScrizaError):
                await self._book.note_health(webhook, failing_since=since, off_because=off)
