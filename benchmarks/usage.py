"""What the usage module takes on the embedded store: a check, a batch of events, a summary over a million of them.

The million is written as its sums, which is what a summary reads: so many events leave so many quarters, by the
module's own reckoning.

    python benchmarks/usage.py [--events 20000] [--million 1000000]
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.usage_rig import ME, UsageRig, asr, completed, llm, tts

from scriza.kernel.events import Event
from scriza.kernel.principal import acting
from scriza.modules.usage.documents import USAGE_DOCUMENTS, UsageQuarter, collection
from scriza.modules.usage.prices import built_in
from scriza.modules.usage.reading import read
from scriza.modules.usage.stored import quarter_rows
from scriza.modules.usage.sums import changes
from scriza.ports.credit import CreditCheck, GrantWish, HoldWish, SummaryAsked
from scriza_adapters.mongo.store import StoreOptions, open_store

_BATCH = 500
_NOW = datetime.now(UTC)


def events_of(number: int, at: datetime) -> list[Event]:
    """Ten events of one call, and its end."""
    call_id = f"CA{number:08d}"
    events: list[Event] = []
    for turn in range(3):
        events += [llm(call_id, str(turn), at=at), tts(call_id, str(turn), at=at), asr(call_id, str(turn), at=at)]
    return [*events, completed(call_id, at=at, playbook=f"sv_{number % 7}")]


async def timed(act: Callable[[int], Awaitable[object]], times: int) -> tuple[float, float]:
    """Median and p95 of one after the other, in milliseconds."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        await act(number)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[int(len(took) * 0.95)]


async def measure(events: int, million: int) -> None:
    """All of it, printed."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_store(StoreOptions(Path(directory)), USAGE_DOCUMENTS) as store:
            rig = UsageRig(store, lambda: _NOW)  # type: ignore[arg-type]  # a clock that stands
            with acting(ME):
                await rig.service.grant(GrantWish(10**12))
                plain = await timed(lambda _: rig.service.check(CreditCheck()), 500)
                held = await timed(lambda n: rig.service.check(CreditCheck(hold=HoldWish(f"CH{n}"))), 500)
                print(f"check, nothing held        median {plain[0]:6.2f} ms   p95 {plain[1]:6.2f} ms")
                print(f"check with a hold          median {held[0]:6.2f} ms   p95 {held[1]:6.2f} ms  (500 calls held)")
                await take(rig, events)
                await fill(million)
                for group in ("", "agent", "model", "day"):
                    asked = SummaryAsked("30d", group_by=group)  # type: ignore[arg-type]  # one of its words
                    took = await timed(lambda _, asked=asked: rig.service.summary(asked), 20)
                    print(f"summary of 30 days by {group or 'all':5}  median {took[0]:6.1f} ms   p95 {took[1]:6.1f} ms")


async def take(rig: UsageRig, count: int) -> None:
    """Count events in batches, a twentieth of them a second time."""
    calls = [events_of(number, _NOW - timedelta(minutes=number % 600)) for number in range(count // 10)]
    told = [event for call in calls for event in call]
    told += random.Random(1).sample(told, len(told) // 20)
    began = time.perf_counter()
    for start in range(0, len(told), _BATCH):
        await rig.ingest.take_all(told[start : start + _BATCH])
    took = time.perf_counter() - began
    print(f"{len(told)} events in batches of {_BATCH}: {len(told) / took:,.0f} a second")


async def fill(count: int) -> None:
    """The sums that a million events of 30 days leave."""
    prices, rows = built_in(), 0
    quarters = 30 * 96
    calls_each = max(1, count // 10 // quarters)
    for quarter in range(quarters):
        at = _NOW - timedelta(minutes=15 * quarter + 700)
        told = [
            read(event, prices) for n in range(calls_each) for event in events_of(quarter * calls_each + n + 10**6, at)
        ]
        made = quarter_rows("default", changes(told, {}))
        documents = []
        for row_id, (fields, sums) in made.items():
            documents.append({"_id": row_id, **fields, "sums": {k.removeprefix("sums."): v for k, v in sums.items()}})
        await collection(UsageQuarter).insert_many(documents)
        rows += len(documents)
    print(f"{quarters * calls_each * 10:,} events of 30 days are {rows:,} sums")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--million", type=int, default=1_000_000)
    told = parser.parse_args()
    asyncio.run(measure(told.events, told.million))
