"""How soon a caller is known, and what it costs to remember calls, on the embedded store.

    python benchmarks/remembering.py [--callers 10000] [--calls 64]

Asks for callers among many, through the service; hears whole calls one after the other and 32 side by side, as the bus
delivers them; and works calls over by rules, from the end that was told to what the next call may know. Reading and
checking a call of forty turns is told in CPU time. Prints a table and writes `benchmarks/results/remembering.json`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import structlog

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "remembering.json"
sys.path.insert(0, str(ROOT))

from tests.memory_calls import KEY, NUMBER, Rememberer, ToldCall, book_of_the_test, demo_call  # noqa: E402 - the path

from scriza.kernel.pseudonym import pseudonym  # noqa: E402
from scriza.modules.memory.documents import MEMORY_DOCUMENTS, callers  # noqa: E402
from scriza.modules.memory.findings import FoundField, Report, by_rules, checked  # noqa: E402
from scriza.ports.memory import Recall  # noqa: E402
from scriza_adapters.mongo.store import StoreOptions, open_store  # noqa: E402

RECALLS, ROUNDS, SIDE_BY_SIDE, TURNS = 500, 200, 32, 40
TARGET_RECALL_P95_MS = 300


def number_of(caller: int) -> str:
    """A phone number."""
    return f"+9198{caller:08}"


def percentile(times: list[float], share: float) -> float:
    """In milliseconds."""
    return round(1000 * sorted(times)[min(len(times) - 1, int(share * len(times)))], 2)


async def fill(here: Rememberer, count: int) -> None:
    """So many callers, each with what one call has taught."""
    await here.remembers(demo_call())
    one = await callers().find_one({})
    assert one is not None
    for first in range(0, count, 1000):
        names = [f"default/{pseudonym(KEY, 'default', number_of(each))}" for each in range(first, first + 1000)]
        await callers().insert_many([{**one, "_id": name} for name in names])


async def recalls(here: Rememberer, count: int) -> dict[str, float]:
    """Who calls is asked for, one after the other."""
    times = []
    for each in range(RECALLS):
        began = time.perf_counter()
        known = await here.memory.recall(Recall(number_of(each * 7919 % count)))
        times.append(time.perf_counter() - began)
        assert len(known.known) == 4
    return {"recall_p50_ms": percentile(times, 0.5), "recall_p95_ms": percentile(times, 0.95)}


async def hearing(here: Rememberer, calls: int) -> dict[str, float]:
    """Whole calls, and then the work after them."""
    one = demo_call("CB0", number=number_of(0))
    began = time.perf_counter()
    await here.hears(one.events)
    alone = (time.perf_counter() - began) / len(one.events)
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def hear(told: ToldCall) -> None:
        async with room:
            await here.hears(told.events)

    told = [demo_call(f"CC{each}", number=number_of(each)) for each in range(calls)]
    began = time.perf_counter()
    await asyncio.gather(*map(hear, told))
    together = len(told) * len(one.events) / (time.perf_counter() - began)
    worked, times = 0, []
    while True:
        began = time.perf_counter()
        if not await here.post_call.work():
            break
        times.append(time.perf_counter() - began)
        worked += 1
    assert worked == calls + 1
    return {
        "event_ms": round(1000 * alone, 2),
        "events_per_second": round(together),
        "work_by_rules_p50_ms": percentile(times, 0.5),
        "work_by_rules_p95_ms": percentile(times, 0.95),
    }


async def reading(here: Rememberer) -> dict[str, float]:
    """Rules, and the check of a model's report, on a long call."""
    long = ToldCall("CD1", NUMBER)
    for each in range(TURNS):
        long.turn(f"well i think we have about {each} rooms and my name is Priya", "I see.", learned={"name": "Priya"})
    await here.hears(long.over().events)
    call, playbook = await here.memory.call("CD1"), book_of_the_test()
    found = [FoundField("rooms", 7, 7, "about 7 rooms"), FoundField("name", "Mallory", 3, "my name is Mallory")]
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        checked(Report("Priya called about rooms.", fields=found), call, playbook, by_rules(call, playbook))
        times.append(time.thread_time() - began)
    return {"rules_and_check_cpu_ms": round(1000 * statistics.median(times), 2)}


async def main(count: int, calls: int) -> None:
    """All of it, on a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(StoreOptions(Path(folder)), MEMORY_DOCUMENTS) as store:
            here = Rememberer(store)
            await fill(here, count)
            figures = {"callers": count, "calls": calls}
            found = await recalls(here, count) | await hearing(here, calls) | await reading(here)
    for name, value in (figures | found).items():
        print(f"{name:26} {value:>10}")
    met = found["recall_p95_ms"] < TARGET_RECALL_P95_MS
    print(f"recall within {TARGET_RECALL_P95_MS} ms at p95: {'yes' if met else 'NO'}")
    RESULTS.write_text(json.dumps(figures | found, indent=2) + "\n")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--callers", type=int, default=10_000)
    options.add_argument("--calls", type=int, default=64)
    told = options.parse_args()
    asyncio.run(main(told.callers, told.calls))
