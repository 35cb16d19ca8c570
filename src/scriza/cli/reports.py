"""``scriza reports rebuild``: the figures of reports, counted anew from the logs of calls."""

import argparse
import asyncio
from datetime import timedelta

from scriza import logs
from scriza.app import container_of
from scriza.factories import storage
from scriza.kernel.clock import utc_now
from scriza.modules.memory.documents import MEMORY_DOCUMENTS
from scriza.modules.strategy.documents import STRATEGY_DOCUMENTS
from scriza.settings import Settings, load
from scriza_adapters.mongo.store import open_store


def run(told: argparse.Namespace) -> int:
    """Print how many sums were wrong. Raises what the store raises."""
    settings = load()
    logs.configure(settings.log, "error")
    wrong = asyncio.run(_rebuild(settings, told.workspace, told.days))
    print(f"Sums that were wrong, and are right now: {wrong}." if wrong else "Every sum was right.")
    return 0


async def _rebuild(settings: Settings, workspace: str, days: int) -> int:
    container = container_of(settings)
    options = storage.store_options(settings, container.data_dir())
    async with open_store(options, (*MEMORY_DOCUMENTS, *STRATEGY_DOCUMENTS)) as store:
        container.store.override(store)
        until = utc_now().date()
        return await container.counter().rebuild(workspace, until - timedelta(days=days - 1), until)
