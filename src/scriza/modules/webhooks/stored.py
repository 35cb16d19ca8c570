"""Webhooks and deliveries in the store.

A delivery is taken by one conditional update, for as long as a lease lasts; who dies with it lets the lease lapse, and
somebody else delivers it, perhaps a second time.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from scriza.kernel.errors import NotFound
from scriza.modules.webhooks.book import DeliveryRecord, WebhookRecord
from scriza.modules.webhooks.documents import Row, Session, deliveries, webhooks
from scriza.modules.webhooks.schedule import Next
from scriza.ports.poster import Posted
from scriza.ports.store import Store
from scriza.ports.webhooks import DeliveryQuery

_WITHOUT_BODY = {"body": 0}


class MongoWebhooks:
    """Keeps both."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    # ---- webhooks -------------------------------------------------------------------------------------------------

    async def add(self, webhook: WebhookRecord) -> None:
        """Keep a new one."""
        with self._store.errors():
            await webhooks().insert_one(_row(webhook, "webhook_id"))

    async def of(self, workspace: str) -> list[WebhookRecord]:
        """All of a workspace, oldest first."""
        with self._store.errors():
            found = await webhooks().find({"workspace": workspace}).to_list()
        return sorted((_webhook(row) for row in found), key=lambda each: each.created_at)

    async def one(self, workspace: str, webhook_id: str) -> WebhookRecord:
        """Raises NotFound."""
        with self._store.errors():
            row = await webhooks().find_one({"_id": webhook_id, "workspace": workspace})
        if row is None:
            raise NotFound("there is no such webhook")
        return _webhook(row)

    async def change(self, webhook: WebhookRecord, *fields: str) -> None:
        """Keep these fields of it, and leave the others as somebody may have changed them. Raises NotFound."""
        which = {"_id": webhook.webhook_id, "workspace": webhook.workspace}
        changes = {name: getattr(webhook, name) for name in fields}
        with self._store.errors():
            if not (await webhooks().update_one(which, {"$set": changes})).matched_count:
                raise NotFound("there is no such webhook")

    async def remove(self, workspace: str, webhook_id: str) -> None:
        """With all deliveries to it."""
        with self._store.errors():
            await webhooks().delete_one({"_id": webhook_id, "workspace": workspace})
            await deliveries().delete_many({"webhook_id": webhook_id, "workspace": workspace})

    async def note_health(
        self, webhook: WebhookRecord, *, failing_since: datetime | None, off_because: Literal["", "gone", "failing"]
    ) -> None:
        """Since when it takes nothing, and whether it is switched off for that."""
        changes: Row = {"failing_since": failing_since}
        if off_because:
            changes |= {"enabled": False, "off_because": off_because}
        with self._store.errors():
            await webhooks().update_one({"_id": webhook.webhook_id}, {"$set": changes})

    # ---- deliveries -----------------------------------------------------------------------------------------------

    async def expect(self, delivery: DeliveryRecord) -> None:
        """Keep a delivery to be made; one that is known stays as it is."""
        row = _row(delivery, "delivery_id")
        with self._store.errors():
            await deliveries().update_one({"_id": row.pop("_id")}, {"$setOnInsert": row}, upsert=True)

    async def due(self, now: datetime, limit: int, besides: Collection[str] = ()) -> list[DeliveryRecord]:
        """What may be delivered now, the longest due first, besides what is for these webhooks."""
        which: Row = {"state": "waiting", "due_at": {"$lte": now}}
        if besides:
            which["webhook_id"] = {"$nin": list(besides)}
        with self._store.errors():
            return [_delivery(row) for row in await deliveries().find(which).sort("due_at", 1).limit(limit).to_list()]

    async def take(self, delivery: DeliveryRecord, until: datetime) -> bool:
        """Have a delivery that is due to oneself until then; False when somebody else was first."""
        which = {"_id": delivery.delivery_id, "state": "waiting", "due_at": delivery.due_at}
        with self._store.errors():
            taken = await deliveries().update_one(which, {"$set": {"due_at": until}, "$inc": {"attempts": 1}})
        return taken.matched_count == 1

    async def settle(self, delivery: DeliveryRecord, posted: Posted, following: Next) -> None:
        """What came of the attempt, and how it goes on."""
        changes = {
            "state": following.state,
            "due_at": following.at,
            "last_status": posted.status,
            "last_failure": posted.failure,
        }
        with self._store.errors():
            await deliveries().update_one({"_id": delivery.delivery_id, "state": "waiting"}, {"$set": changes})

    async def again(self, workspace: str, which: Row, now: datetime) -> int:
        """Make deliveries due again, from the beginning of their schedule; returns how many."""
        changes = {"state": "waiting", "due_at": now, "attempts": 0}
        with self._store.errors():
            done = await deliveries().update_many({"workspace": workspace, **which}, {"$set": changes})
        return int(done.matched_count)

    async def delivery(self, workspace: str, delivery_id: str) -> DeliveryRecord:
        """Raises NotFound."""
        with self._store.errors():
            row = await deliveries().find_one({"_id": delivery_id, "workspace": workspace})
        if row is None:
            raise NotFound("there is no such delivery")
        return _delivery(row)

    async def page(
        self, workspace: str, query: DeliveryQuery, before: tuple[datetime, str] | None, limit: int
    ) -> list[DeliveryRecord]:
        """Newest first, without their bodies."""
        asked = {"state": query.only, "webhook_id": query.webhook_id}
        which: Row = {"workspace": workspace} | {name: value for name, value in asked.items() if value}
        if before is not None:
            at, delivery_id = before
            which["$or"] = [{"told_at": {"$lt": at}}, {"told_at": at, "_id": {"$lt": delivery_id}}]
        with self._store.errors():
            found = deliveries().find(which, _WITHOUT_BODY).sort([("told_at", -1), ("_id", -1)]).limit(limit)
            return [_delivery(row | {"body": b""}) for row in await found.to_list()]

    async def forget(self, workspace: str, subjects: Sequence[str]) -> int:
        """Erase what tells of these calls; returns how many deliveries that were."""
        with self._store.errors():
            which = {"workspace": workspace, "subject": {"$in": list(subjects)}}
            return int((await deliveries().delete_many(which)).deleted_count)


def _row(record: WebhookRecord | DeliveryRecord, id_field: str) -> Row:
    fields = msgspec.structs.asdict(record)
    return {"_id": fields.pop(id_field), **fields}


def _webhook(row: Row) -> WebhookRecord:
    return msgspec.convert(_fields(row, "webhook_id"), WebhookRecord)


def _delivery(row: Row) -> DeliveryRecord:
    return msgspec.convert(_fields(row, "delivery_id"), DeliveryRecord)


def _fields(row: Row, id_field: str) -> Row:
    fields = dict(row)
    return {id_field: fields.pop("_id"), **fields}
