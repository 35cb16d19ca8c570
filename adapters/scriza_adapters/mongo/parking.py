"""Events that a consumer could not deal with: what is parked, and how it is delivered again."""

from datetime import datetime

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from scriza.kernel.errors import NotFound
from scriza.kernel.events import Event
from scriza_adapters.mongo.errors import translated
from scriza_adapters.mongo.outbox import OUTBOX, Row, Rows, insert_once
from scriza_adapters.mongo.relay import INBOX, PARKED


class ParkedEvent(msgspec.Struct, frozen=True):
    """What is to be known of it, without what it says. `error` is the name of the last failure's class."""

    id: str = msgspec.field(name="_id")
    consumer: str
    topic: str
    error: str
    at: datetime


async def parked(database: AsyncDatabase[Row], limit: int = 100) -> list[ParkedEvent]:
    """The latest first. Raises Unavailable and DeadlineExceeded."""
    with translated():
        rows = await database[PARKED].find({}, {"event": 0}).sort("at", -1).limit(limit).to_list()
    return msgspec.convert(rows, list[ParkedEvent])


async def deliver_again(database: AsyncDatabase[Row], parked_id: str) -> None:
    """Have its consumer try it anew, behind what waits in its lane. Raises NotFound, Unavailable, DeadlineExceeded."""
    with translated():
        found = await database[PARKED].find_one({"_id": parked_id})
        if found is None:
            raise NotFound("no such event is parked")
        event = msgspec.json.decode(str(found["event"]), type=Event)
        # Each step may be done again: an event that is told twice is heard once.
        await insert_once(database[OUTBOX], Rows(lambda _: [str(found["consumer"])]).of([event]))
        await database[INBOX].delete_one({"_id": parked_id})
        await database[PARKED].delete_one({"_id": parked_id})
