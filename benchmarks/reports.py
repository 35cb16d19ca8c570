"""How long reports over 100,000 calls take on the embedded store, and how much they read.

    python benchmarks/reports.py [--calls 100000] [--days 90] [--store FOLDER]

Calls as a sales team has them (four agents, two versions each, working hours of India, some eight turns) are counted by
the writer that counts them in production, 500 a transaction, into the store that Scriza starts with nothing set up.
Then every report is asked for through its service, for the whole time, by days and in a zone that is half an hour off.
The text of unanswered turns is not loaded, so that report is left out. Prints tables and writes
`benchmarks/results/reports.json`.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "reports.json"
sys.path.insert(0, str(ROOT))

from tests.memory_reports import MemoryFigures, MemoryLog, kite  # noqa: E402 - the path comes first

from scriza.modules.memory.documents import MEMORY_DOCUMENTS  # noqa: E402
from scriza.modules.memory.reports.books import DaysWanted, Mark, StoredDay  # noqa: E402
from scriza.modules.memory.reports.counting import Led, cell_of, figures_of  # noqa: E402
from scriza.modules.memory.reports.days import Counted  # noqa: E402
from scriza.modules.memory.reports.documents import read_workspaces  # noqa: E402
from scriza.modules.memory.reports.service import ReportsService  # noqa: E402
from scriza.modules.memory.reports.stored import MongoFigures  # noqa: E402
from scriza.ports.memory import RememberedCall, RememberedTurn  # noqa: E402
from scriza.ports.reports import ComparisonQuery, GroupedQuery, ReportQuery  # noqa: E402
from scriza.ports.telephony import TurnLatency  # noqa: E402
from scriza_adapters.mongo.store import StoreOptions, open_store  # noqa: E402

ROUNDS = 21
BATCH = 500
UNTIL = date(2026, 6, 30)
STAGES = ("opening", "discovery", "pitch", "objections", "close")
OBJECTIONS = tuple(f"objection-{number}" for number in range(12))
OUTCOMES = ("demo_booked", "callback", "not_interested", "wrong_person", "do_not_call", "")
REASONS = ("agent-goodbye", "caller-hung-up", "silence", "transferred")
SAID = (
    "hello",
    "that sounds great, thanks",
    "it is too expensive for us",
    "what is the price",
    "stop calling me",
    "yes",
)
AGENTS = tuple(f"agent-{number}" for number in range(4))

chance = random.Random(4)


def turns() -> list[RememberedTurn]:
    """What is said in a call."""
    return [turn(number) for number in range(chance.randint(2, 14))]


def turn(number: int) -> RememberedTurn:
    """One turn; later ones are in later stages."""
    times = [chance.randint(*span) for span in ((200, 700), (20, 120), (150, 1400), (40, 250), (5, 30))]
    objects = chance.random() < 0.2
    return RememberedTurn(
        turn=number,
        stage=STAGES[min(number // 2, len(STAGES) - 1)],
        said=chance.choice(SAID),
        confidence=chance.uniform(0.6, 1),
        interrupted=chance.random() < 0.05,
        tokens=chance.randint(20, 400),
        clips=3,
        clips_cached=1,
        latency=TurnLatency(number, *times, sum(times)),
        meant=chance.choice(OBJECTIONS) if objects else "",
        kind="objection" if objects else "intent",
        unanswered=chance.random() < 0.05,
    )


def call(number: int, days: int) -> RememberedCall:
    """A call at some time from nine to seven in India."""
    began = datetime.combine(UNTIL, datetime.min.time(), UTC) - timedelta(days=number % days)
    return RememberedCall(
        call_id=f"CA{number:032d}",
        state="worked",
        direction=chance.choice(("inbound", "outbound")),
        playbook=f"{chance.choice(AGENTS)}.{1 + (number % days < days // 2)}",
        started_at=began + timedelta(hours=3.5, seconds=chance.randint(0, 10 * 3600)),
        duration_seconds=chance.randint(15, 400),
        ended_reason=chance.choice(REASONS),
        outcome=chance.choice(OUTCOMES),
        barge_ins=chance.randint(0, 1),
        silence_prompts=chance.randint(0, 1),
        turns=turns(),
    )


def counted(calls: int, days: int) -> Iterator[tuple[Mark, Counted]]:
    """All calls, and what they add."""
    leads = {agent: Led(agent, frozenset({"demo_booked"}), "en-IN") for agent in AGENTS}
    for number in sorted(range(calls), key=lambda number: number % days):
        each = call(number, days)
        assert each.started_at is not None
        led = leads[each.playbook.partition(".")[0]]
        yield Mark("default", each.call_id, ""), Counted(cell_of(each, each.started_at, led), figures_of(each, led))


class CountingBook(MongoFigures):
    """Notes how much is read."""

    documents, size = 0, 0

    async def days(self, workspace: str, wanted: DaysWanted) -> list[StoredDay]:
        """As always."""
        found = await super().days(workspace, wanted)
        self.documents += len(found)
        self.size += sum(len(day.total) + sum(map(len, day.quarters.values())) for day in found)
        return found


async def load(book: MongoFigures, calls: int, days: int) -> dict[str, float]:
    """Count them all."""
    batch: list[tuple[Mark, Counted]] = []
    making, writing, began = 0.0, 0.0, time.perf_counter()
    for each in counted(calls, days):
        batch.append(each)
        if len(batch) == BATCH:
            making += time.perf_counter() - began
            began = time.perf_counter()
            await book.count("default", batch)
            writing += time.perf_counter() - began
            batch, began = [], time.perf_counter()
    if batch:
        await book.count("default", batch)
    return {"made_s": round(making, 1), "counted_s": round(writing, 1), "counted_a_s": round(calls / writing)}


async def measure(ask: Callable[[], Awaitable[object]], book: CountingBook) -> dict[str, float]:
    """Wall time of a report, CPU of this process (the store's is its own), and what one of them reads."""
    await ask()
    book.documents, book.size = 0, 0
    times, cpu = [], time.process_time()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    return {
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(statistics.quantiles(times, n=20)[18], 1),
        "cpu_ms": round((time.process_time() - cpu) / ROUNDS * 1000, 1),
        "documents": book.documents // ROUNDS,
        "kB": book.size // ROUNDS // 1000,
    }


async def run(calls: int, days: int, kept: Path | None) -> dict[str, object]:
    """Load, if that is not done, then ask for everything."""
    with tempfile.TemporaryDirectory() as passing:
        async with open_store(StoreOptions(data_dir=kept or Path(passing)), MEMORY_DOCUMENTS) as store:
            book = CountingBook(store)
            there = await read_workspaces()
            loaded = {} if there else await load(book, calls, days)
            print(loaded or "counted before")
            reports = ReportsService(book, MemoryLog(MemoryFigures()), kite)
            since = UNTIL - timedelta(days=days - 1)
            rows = {}
            for tz in ("UTC", "Asia/Kolkata"):
                which = {"since": since, "until": UNTIL, "tz": tz}
                by_day, whole = GroupedQuery(**which), ReportQuery(**which)
                versions = ComparisonQuery(a="agent-1.1", b="agent-1.2", **which)
                total = (await reports.overview(by_day)).total
                assert total.calls == calls, total.calls
                asks: dict[str, Callable[[], Awaitable[object]]] = {
                    "overview by day": lambda q=by_day: reports.overview(q),
                    "overview by agent": lambda w=which: reports.overview(GroupedQuery(by="agent", **w)),
                    "overview by outcome": lambda w=which: reports.overview(GroupedQuery(by="outcome", **w)),
                    "objections": lambda q=whole: reports.objections(q),
                    "interruptions by day": lambda q=by_day: reports.interruptions(q),
                    "sentiment": lambda q=whole: reports.sentiment(q),
                    "latency by day": lambda q=by_day: reports.latency(q),
                    "funnel": lambda q=whole: reports.funnel(q),
                    "comparison": lambda q=versions: reports.comparison(q),
                }
                for name, ask in asks.items():
                    rows[f"{name}, {tz}"] = await measure(ask, book)
                    print(
                        f"{name + ', ' + tz:<36}",
                        *(f"{key} {value:>8}" for key, value in rows[f"{name}, {tz}"].items()),
                    )
    return {"calls": calls, "days": days, "load": loaded, "reports": rows}


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--store", type=Path, help="keep the store in this folder, or find what was kept there")
    told = parser.parse_args()
    if told.store:
        told.store.mkdir(parents=True, exist_ok=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    found = asyncio.run(run(told.calls, told.days, told.store))
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
