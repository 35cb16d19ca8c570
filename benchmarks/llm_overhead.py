"""What the orchestrator adds to a turn over calling the SDK itself, and how many turns a minute one core takes.

OpenAI's stand-in runs in a process of its own and answers at 0 ms; each turn is new, so that nothing comes from the
cache. "The SDK" is `AsyncOpenAI.chat.completions.create`, streamed and read to its end with the same request; "the
engine" is our adapter around it; "the orchestrator" is the port with policy, breaker, cache, single flight and
metering. Prints tables and writes `benchmarks/results/llm_overhead.json`.
"""

import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

import structlog
import uvloop
from openai import AsyncOpenAI

from scriza.kernel.events import Event
from scriza.modules.llm.engine import Route, Upstream
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Message, Persona, Turn
from scriza_adapters.openai.engine import OpenAiEngine

RESULTS = Path(__file__).parent / "results" / "llm_overhead.json"
TEXT = "It is nineteen dollars a month, and you can leave at any time. Shall I book you a demo?"
ROUNDS = 30
TURNS_A_ROUND = 20
RATE_A_S = 100
SECONDS = 60
KEPT = 1_000
"""Answers in the cache: it is full after ten seconds, and memory should not grow from then on."""
LINES_OF_PROMPT = 40

_numbers = count()

Row = dict[str, str | float]


class Counting:
    """Is told of usage and keeps nothing of it."""

    def __init__(self) -> None:
        self.events = 0

    def tell(self, *events: Event) -> None:
        """Count."""
        self.events += len(events)


def turn() -> Turn:
    """A turn of a call that has gone on for a while, unlike all others."""
    said = [
        Message("assistant" if line % 2 else "user", "This is about as long as what people say on the phone at once.")
        for line in range(10)
    ]
    system = Message("system", "You sell invoicing software and you are brief. " * LINES_OF_PROMPT)
    return Turn([system, *said, Message("user", f"and how much is number {next(_numbers)}")], persona=Persona("Sunny"))


def cpu_us() -> float:
    """CPU time of this process."""
    return time.process_time() * 1e6


async def timed(call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Wall and CPU time of one call, in microseconds."""
    started, cpu = time.perf_counter(), cpu_us()
    await call()
    return (time.perf_counter() - started) * 1e6, cpu_us() - cpu


async def overhead(url: str) -> list[Row]:
    """One row for each way to ask; the ways take turns, so that a busy moment of the machine hits them alike."""
    sdk = AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
    engine = OpenAiEngine("none", base_url=url)
    route = Route((Upstream(engine, "gpt-4o"),))
    orchestrator = LlmService(Counting(), critical=route, cheap=route)
    await orchestrator.warm_up()

    async def by_sdk() -> None:
        asked = turn()
        messages = [{"role": message.role, "content": message.content} for message in asked.messages]
        chunks = await sdk.chat.completions.create(
            model="gpt-4o",
            messages=messages,  # type: ignore[arg-type]  # built from our own messages, by role
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=300,
            temperature=0.7,
        )
        async for _ in chunks:
            pass

    async def by_engine() -> None:
        async for _ in engine.stream("gpt-4o", turn()):
            pass

    async def by_orchestrator() -> None:
        async for _ in orchestrator.stream_turn(turn()):
            pass

    ways = {"the SDK": by_sdk, "the engine": by_engine, "the orchestrator": by_orchestrator}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        for _ in range(TURNS_A_ROUND):
            await way()
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name] += [await timed(way) for _ in range(TURNS_A_ROUND)]

    kept = turn()
    await orchestrator.turn(kept)
    times["the orchestrator, from its cache"] = [
        await timed(lambda: orchestrator.turn(kept)) for _ in range(ROUNDS * TURNS_A_ROUND)
    ]
    await orchestrator.close()
    await sdk.close()
    return list(_rows(times))


def _rows(times: dict[str, list[tuple[float, float]]]) -> Iterator[Row]:
    least = statistics.median(wall for wall, _ in times["the SDK"])
    for name, taken in times.items():
        walls = sorted(wall for wall, _ in taken)
        p50 = statistics.median(walls)
        yield {
            "asked by": name,
            "p50_ms": round(p50 / 1000, 3),
            "p95_ms": round(walls[len(walls) * 95 // 100] / 1000, 3),
            "cpu_ms": round(statistics.median(cpu for _, cpu in taken) / 1000, 3),
            "over_sdk_p50_ms": round((p50 - least) / 1000, 3),
        }


async def load(url: str) -> Row:
    """Turns at a steady rate for a while: how much of a core they take, and what the memory does meanwhile."""
    engine = OpenAiEngine("none", base_url=url)
    route = Route((Upstream(engine, "gpt-4o"),))
    told = Counting()
    orchestrator = LlmService(told, critical=route, cheap=route, cache_size=KEPT)
    await orchestrator.warm_up()
    late: list[float] = []

    async def one(due: float) -> None:
        await orchestrator.turn(turn())
        late.append(time.perf_counter() - due)

    memory: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        cpu, started = cpu_us(), time.perf_counter()
        for number in range(RATE_A_S * SECONDS):
            due = started + number / RATE_A_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(one(due))
            if number % (RATE_A_S * 5) == RATE_A_S * 5 - 1:
                gc.collect()
                memory.append(resident_kb())
    took, used = time.perf_counter() - started, cpu_us() - cpu
    await orchestrator.close()
    late.sort()
    settled = memory[len(memory) // 2 :]
    return {
        "turns": len(late),
        "metered": told.events,
        "seconds": round(took, 1),
        "turns_a_minute": round(len(late) / took * 60),
        "core_percent": round(used / took / 1e4, 1),
        "cpu_ms_a_turn": round(used / len(late) / 1000, 3),
        "turns_a_minute_of_a_core": round(60e6 * len(late) / used),
        "p50_ms": round(late[len(late) // 2] * 1000, 2),
        "p95_ms": round(late[len(late) * 95 // 100] * 1000, 2),
        "memory_mb": " ".join(f"{kb / 1000:.1f}" for kb in memory),
        "growth_kb_a_minute": round((settled[-1] - settled[0]) / ((len(settled) - 1) * 5) * 60),
    }


def resident_kb() -> int:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1000


def main() -> None:
    """Run both parts against one stand-in."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "tests.standins.openai", "--text", TEXT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            rows = uvloop.run(overhead(url))
            held = uvloop.run(load(url))
        finally:
            server.terminate()
    _print(rows)
    for name, value in held.items():
        print(f"{name:<26} {value}")
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "overhead": rows, "load": held}, indent=2) + "\n")


def _print(rows: list[Row]) -> None:
    print(" ".join(f"{name:>32}" if name == "asked by" else f"{name:>16}" for name in rows[0]))
    for row in rows:
        print(" ".join(f"{value:>32}" if name == "asked by" else f"{value:>16}" for name, value in row.items()))


if __name__ == "__main__":
    main()
