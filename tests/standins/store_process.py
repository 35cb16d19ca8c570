"""A process that uses the store and says on standard output what it does, so that a test can kill it at that moment.

``python -m tests.standins.store_process ACT DATA_DIR [URL DATABASE]``
"""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scriza.kernel.events import Event, Topic
from scriza.modules.telephony.call_log import Ending
from scriza.modules.telephony.documents import DOCUMENTS
from scriza.modules.telephony.stored_log import MongoCallLog
from scriza.ports.telephony import CallMetrics
from scriza_adapters.mongo.relay import BusTimes
from scriza_adapters.mongo.store import MongoStore, StoreOptions, Unit, open_store

QUICK = BusTimes(lease=1, gather=0.005, poll=0.05, first_pause=0.02, longest_pause=0.1, roll_call=0.2)
USAGE = frozenset({Topic.USAGE_LLM})
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def say(text: str) -> None:
    print(text, flush=True)


def told(number: int, subject: str) -> Event:
    """An event that carries its number."""
    data = msgspec.Raw(b'{"n":%d}' % number)
    return Event(f"evt_{subject}_{number}", Topic.USAGE_LLM, "scriza/test", subject, START, "default", data)


async def holds_a_transaction(store: MongoStore) -> None:
    """Keeps a document, changes another in a transaction, and never comes to its end."""
    things = store.database["things"]
    await things.insert_many([{"_id": "kept"}, {"_id": "changed", "by": "nobody"}])
    async with store.transaction() as unit:
        await things.update_one({"_id": "changed"}, {"$set": {"by": "the killed one"}}, session=unit.session)
        say("in the middle")
        await asyncio.sleep(60)


async def tells_without_end(store: MongoStore) -> None:
    """Tells what it keeps; its own consumer never comes to the end of the first event."""

    async def never_ends(event: Event) -> None:
        await asyncio.sleep(60)

    store.bus.subscribe("usage", USAGE, never_ends)
    number = 0
    while True:
        async with store.transaction() as unit:
            await store.database["kept"].insert_one({"_id": number}, session=unit.session)
            await unit.publish(told(number, "CA1"))
        say(f"told {number}")
        number += 1


async def counts(store: MongoStore) -> None:
    """Counts every event once, by receiving it in the unit of work that counts it."""

    async def count(event: Event) -> None:
        async def work(unit: Unit) -> None:
            if await unit.receive("usage", event):
                number = msgspec.json.decode(event.data)["n"]
                row = {"event": event.id, "subject": event.subject, "n": number, "at": time.time_ns()}
                await store.database["counted"].insert_one(row, session=unit.session)

        await store.run(work)

    store.bus.subscribe("usage", USAGE, count)
    while "usage" not in {row["_id"] for row in await store.database["consumers"].find().to_list()}:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    say("counting")
    await asyncio.sleep(60)


async def ends_calls(store: MongoStore) -> None:
    """Ends, on a word from standard input, every call there is."""
    log = MongoCallLog(store)
    calls = [idle.call.call_id for idle in await log.idle(datetime.now(UTC), 1000)]
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    ended = 0
    for call_id in calls:
        completed = msgspec.structs.replace(told(0, call_id), type=Topic.CALL_COMPLETED)
        ended += await log.end(Ending(call_id, "here", START, 1, CallMetrics()), completed)
    say(f"ended {ended}")


async def stays(store: MongoStore) -> None:
    """Uses the store until it is interrupted."""
    await store.ping()
    say("ready")
    await asyncio.sleep(60)


ACTS: dict[str, Callable[[MongoStore], Awaitable[None]]] = {
    act.__name__: act for act in (holds_a_transaction, tells_without_end, counts, ends_calls, stays)
}


async def main(act: str, data_dir: str, url: str = "", database: str = "") -> None:
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, this.cancel)
    options = StoreOptions(data_dir=Path(data_dir), url=url, database=database, bus=QUICK)
    async with open_store(options, DOCUMENTS) as store:
        await ACTS[act](store)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
