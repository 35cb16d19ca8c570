"""The collections of webhooks."""

from datetime import datetime
from typing import Any

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

Session = AsyncClientSession
Row = dict[str, Any]


class StoredWebhook(Document):
    """A webhook; its secrets are sealed."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    url: str
    events: list[str]
    note: str
    enabled: bool
    created_at: datetime
    off_because: str
    failing_since: datetime | None
    secret: bytes
    old_secret: bytes
    old_secret_until: datetime | None

    class Settings:
        """Few of each workspace."""

        name = "webhooks"
        indexes = [IndexModel([("workspace", ASCENDING), ("_id", ASCENDING)])]


class StoredDelivery(Document):
    """An event on its way."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    webhook_id: str
    event_id: str
    event: str
    subject: str
    body: bytes
    """The event's JSON, as it is posted each time."""
    state: str
    attempts: int
    told_at: datetime
    due_at: datetime | None
    """None when it is at its end."""
    last_status: int
    last_failure: str
    forget_at: datetime

    class Settings:
        """Read by when they are due, by workspace, and by the call that they tell of; forgotten in the end."""

        name = "webhook_deliveries"
        indexes = [
            IndexModel([("state", ASCENDING), ("due_at", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("told_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("webhook_id", ASCENDING), ("state", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("subject", ASCENDING)]),
            IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0),
        ]


WEBHOOK_DOCUMENTS = (StoredWebhook, StoredDelivery)


def webhooks() -> AsyncCollection[Row]:
    """The driver's collection."""
    return StoredWebhook.get_pymongo_collection()


def deliveries() -> AsyncCollection[Row]:
    """The driver's collection."""
    return StoredDelivery.get_pymongo_collection()
