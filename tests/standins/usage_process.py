"""A process that counts what calls have used, so that a test can kill it between any two of its writes."""

import asyncio
import random
from ctypes import c_int
from typing import NamedTuple

from msgspec.structs import replace

from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Event
from scriza.modules.usage.documents import USAGE_DOCUMENTS
from scriza_adapters.mongo.store import StoreOptions, open_store
from tests.usage_rig import UsageRig, asr, completed, llm, tts

_TOGETHER = 7


class Progress(NamedTuple):
    """Shared with the test: outlives the process."""

    begun: c_int
    """Batches, by all processes."""
    done: c_int


def call_ids(workspace: str, calls: int) -> list[str]:
    """Of so many calls of a workspace."""
    return [f"CA-{workspace}-{number}" for number in range(calls)]


def events_of(workspace: str, calls: int) -> list[Event]:
    """What so many calls have used, each of which has ended."""
    return [
        replace(event, workspace=workspace)
        for number, call_id in enumerate(call_ids(workspace, calls))
        for event in (
            llm(call_id, "1", prompt=100 + number),
            tts(call_id, "1", characters=10 + number),
            asr(call_id, "1"),
            llm(call_id, "2", cached=True),
            completed(call_id, 30 + number),
        )
    ]


def count_all(options: StoreOptions, workspace: str, calls: int, seed: int, progress: Progress) -> None:
    """Count all events, those that were counted by others before among them, in an order of its own."""
    asyncio.run(_count_all(options, workspace, calls, seed, progress))


async def _count_all(options: StoreOptions, workspace: str, calls: int, seed: int, progress: Progress) -> None:
    events = events_of(workspace, calls)
    random.Random(seed).shuffle(events)
    async with open_store(options, USAGE_DOCUMENTS) as store:
        rig = UsageRig(store)
        for start in range(0, len(events), _TOGETHER):
            progress.begun.value += 1
            while True:
                try:
                    await rig.ingest.take_all(events[start : start + _TOGETHER])
                    break
                except ScrizaError:
                    continue  # the bus brings an event again that could not be counted
            progress.done.value += 1
