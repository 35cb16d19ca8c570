"""``scriza events``: what consumers could not deal with, and how it is delivered again."""

import argparse
import asyncio

from scriza import data_dir, logs
from scriza.factories import storage
from scriza.settings import Settings, load
from scriza_adapters.mongo.parking import ParkedEvent, deliver_again, parked
from scriza_adapters.mongo.store import open_store


def run(told: argparse.Namespace) -> int:
    """List what is parked, or have some of it delivered again. Raises what the store raises, and NotFound."""
    settings = load()
    logs.configure(settings.log, "error")
    if told.act == "retry":
        asyncio.run(_retry(settings, told.ids))
        print("To be delivered again, as soon as a Scriza that has the consumer runs.")
        return 0
    found = asyncio.run(_parked(settings))
    print("\n".join(map(_told, found)) or "Every event was dealt with.")
    return 0


def _told(event: ParkedEvent) -> str:
    return f"{event.at:%Y-%m-%d %H:%M}  {event.topic:<22} {event.error:<24} {event.id}"


async def _parked(settings: Settings) -> list[ParkedEvent]:
    async with open_store(storage.store_options(settings, data_dir.prepare(settings.data_dir)), []) as store:
        return await parked(store.database)


async def _retry(settings: Settings, ids: list[str]) -> None:
    async with open_store(storage.store_options(settings, data_dir.prepare(settings.data_dir)), []) as store:
        for parked_id in ids or [event.id for event in await parked(store.database)]:
            await deliver_again(store.database, parked_id)
