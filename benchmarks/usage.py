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
from scriza.modules.usage.documents import USAGE_DOCUMENTS, UsageSum, collection
from scriza.modules.usage.grains import Parts, Piece, encode, merged, spread
from scriza.modules.usage.prices import built_in
from scriza.modules.usage.reading import read
from scriza.modules.usage.sums import changes
from scriza.ports.credit import CreditCheck, GrantWish, HoldWish, SummaryAsked
from scriza_adapters.mongo.store import StoreOptions, open_store

_BATCH = 500
_NOW = datetime.now(UTC)
_DAYS_ELSEWHERE = [("America/Los_Angeles", "day"), ("Asia/Kathmandu", "day")]
"""Whose days begin in the middle of UTC's, the second one's a quarter before the hour."""


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
                for number in range(500):
                    await rig.service.check(CreditCheck(hold=HoldWish(f"CH{number}")))
                turns = await timed(lambda n: rig.service.check(CreditCheck(call_id=f"CH{n}")), 500)
                held = await timed(lambda n: rig.service.check(CreditCheck(hold=HoldWish(f"CI{n}"))), 100)
                grown = await timed(lambda n: rig.service.check(CreditCheck(hold=HoldWish(f"CH{n}", 600))), 100)
                for what, (median, p95) in {"of a turn": turns, "with a hold": held, "a hold grows": grown}.items():
                    print(f"check, {what:14}  median {median:6.2f} ms   p95 {p95:6.2f} ms   (500 calls held)")
                await take(rig, events)
                await fill(million)
                for tz, group in [*(("UTC", group) for group in ("", "agent", "model", "day")), *_DAYS_ELSEWHERE]:
                    asked = SummaryAsked("30d", tz=tz, group_by=group)  # type: ignore[arg-type]  # one of its words
                    took = await timed(lambda _, asked=asked: rig.service.summary(asked), 100)
                    which = f"{group or 'all'}, {tz}"
                    print(f"30 days by {which:22}  median {took[0]:6.1f} ms   p95 {took[1]:6.1f} ms")


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
    prices = built_in()
    sums: dict[Piece, Parts] = {}
    quarters = 30 * 96
    calls_each = max(1, count // 10 // quarters)
    for quarter in range(quarters):
        at = _NOW - timedelta(minutes=15 * quarter + 700)
        told = [
            read(event, prices) for n in range(calls_each) for event in events_of(quarter * calls_each + n + 10**6, at)
        ]
        for piece, parts in spread(changes(told, {}).cells).items():
            sums[piece] = merged([sums.get(piece, {}), parts])
    await collection(UsageSum).delete_many({})
    await collection(UsageSum).insert_many(
        {"_id": f"default|{piece.length}|{piece.start}", "workspace": "default", "parts": encode(parts)}
        for piece, parts in sums.items()
    )
    rows = len(sums)
    print(f"{quarters * calls_each * 10:,} events of 30 days are {rows:,} sums")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--million", type=int, default=1_000_000)
    told = parser.parse_args()
    asyncio.run(measure(told.events, told.million))
