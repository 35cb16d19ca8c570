"""How many callers one core can listen to: faster-whisper in the real sizes, int8, by the encoder's window.

The models have the real architecture of tiny, base and small and weights without knowledge: whatever is said, they
hear the same sentence of 12 words, so that every final decodes 12 tokens. Times are those of real weights; how well
real ones hear, above all in shorter windows, is another matter.

First the engine of production is measured alone: the wait for a final, and the processor time of a final and of a
partial. Then calls share one core that takes just that processor time, on a clock that jumps: places, partials and
finals are those of production, and no other work of this machine is in the figures. A stream is a caller who speaks
for 3 s and then listens for 3 s on average, again and again, for ten minutes. Prints a table and writes
`benchmarks/results/whisper_capacity.json`.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported, as every command of Scriza does

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.standins.canned_whisper import BASE, SMALL, TINY, Size, build_canned_whisper
from tests.virtual_time import run_virtual

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import DeadlineExceeded, Unavailable
from scriza.kernel.events import Event
from scriza.modules.asr.service import AsrService
from scriza.ports.asr import Audio, Final, Finalize, HeardWord, Start, Stop, Transcript
from scriza_adapters.whisper.engine import WhisperEngine, WhisperOptions

RESULTS = Path(__file__).parent / "results" / "whisper_capacity.json"
SENTENCE = "well I think that would be fine but what does it cost"
SPOKEN_S, SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 3.0, 1.0, 5.0
BLOCK_S = 0.1
ASKED_AFTER_S = 0.2
"""Of silence; telephony asks before it knows whether the turn is over."""
TURN_S = SPOKEN_S + ASKED_AFTER_S + (SHORTEST_PAUSE_S + LONGEST_PAUSE_S) / 2
CALL_S = 600.0
BUSY = (0.0, 0.35, 0.7)
"""How much of the core the finals of the simulated streams take; one stream there is anyhow."""
SIZES: dict[str, Size] = {"tiny": TINY, "base": BASE, "small": SMALL}
WINDOWS_S = (30, 10, 5)

Purpose = Literal["partial", "final", "recording"]


class Cost(NamedTuple):
    """Of one model with one window, measured alone; ms."""

    p50: float
    p95: float
    final_cpu: float
    partial_cpu: float
    others: float
    """Cores that other processes of this machine took meanwhile."""


class Shared(NamedTuple):
    """What so many streams on one core hear; ms."""

    streams: int
    p50: float
    p95: float
    late: int
    """Finals that were given up after 20 s."""
    partials_a_final: float
    """Recognitions of what had been said so far."""


class Row(NamedTuple):
    """A line of the table."""

    model: str
    window_s: int
    alone: Cost
    streams_per_core: float
    """Whose finals would take all of it."""
    shared: list[Shared]


class Nobody:
    """A teller to whom nobody listens."""

    def tell(self, *events: Event) -> None:
        """Nothing is kept."""


class Machine:
    """How busy other processes keep the machine, by Linux's own account."""

    def __init__(self) -> None:
        self._before = self._now()

    def others(self) -> float:
        """Cores that they took since this was made."""
        (busy, own, at), (busy_then, own_then, then) = self._now(), self._before
        return max(0.0, (busy - busy_then - own + own_then) / (at - then))

    def _now(self) -> tuple[float, float, float]:
        user, nice, system, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        busy = (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")
        return busy, time.process_time(), time.perf_counter()


class OneCore:
    """An engine that takes a core's time and hears the sentence; like the real one it cannot be interrupted."""

    name = "faster-whisper"
    places = 1
    partials = True

    def __init__(self, cost: Cost) -> None:
        self._seconds = {"partial": cost.partial_cpu / 1000, "final": cost.final_cpu / 1000}
        self._core = asyncio.Lock()
        self._unheard = 0
        self.partials_heard = 0

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        prompt: str = "",
        purpose: Purpose,
    ) -> Transcript:
        """The sentence, after its time."""
        if purpose == "partial" and self._unheard:
            raise Unavailable("a partial that was given up has not ended yet")
        work = asyncio.ensure_future(self._work(self._seconds[purpose]))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._unheard += 1
            work.add_done_callback(self._ended)
            raise
        self.partials_heard += purpose == "partial"
        words = [HeardWord(word, 0.0, 0.1, 1.0) for word in SENTENCE.split()]
        return Transcript(SENTENCE, 1.0, words)

    async def _work(self, seconds: float) -> None:
        async with self._core:
            await asyncio.sleep(seconds)

    def _ended(self, _: "asyncio.Future[None]") -> None:
        self._unheard -= 1

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        """Known already."""
        return ""

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Nothing."""

    async def warm_up(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


def utterance() -> Samples:
    """Three seconds that are loud enough to be speech."""
    return np.random.default_rng(0).normal(0, 2000, int(SPOKEN_S * 8000)).astype(np.int16)


def quantile(values: Sequence[float], share: float) -> float:
    """By rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def measured(directory: Path, window_s: int, seconds: float) -> Cost:
    """What finals and partials cost, one after the other."""
    engine = WhisperEngine(directory, WhisperOptions(device="cpu", compute_type="int8", threads=1, window_s=window_s))
    await engine.warm_up()
    machine, samples = Machine(), utterance()
    waits: dict[Purpose, list[float]] = {"final": [], "partial": []}
    cpu: dict[Purpose, float] = {}
    for purpose, share in (("final", 0.7), ("partial", 0.3)):
        took, began, began_cpu = waits[purpose], time.perf_counter(), time.process_time()
        while len(took) < 3 or time.perf_counter() - began < seconds * share:
            start = time.perf_counter()
            heard = await engine.recognise(samples, 8000, language="en", phrases=["Paper Kite"], purpose=purpose)
            assert heard.text == SENTENCE, heard.text
            took.append((time.perf_counter() - start) * 1000)
        cpu[purpose] = (time.process_time() - began_cpu) * 1000 / len(took)
    await engine.close()
    finals = waits["final"]
    return Cost(quantile(finals, 0.5), quantile(finals, 0.95), cpu["final"], cpu["partial"], machine.others())


class Heard:
    """What all callers heard: ms from asking for a final to hearing it."""

    def __init__(self) -> None:
        self.finals: list[float] = []
        self.late = 0
        """Finals that were given up after 20 s."""


async def caller(service: AsrService, order: random.Random, late: float, heard: Heard) -> None:
    """Speaks and listens in turn; one whose final came too late begins anew."""
    loop, encoded, asked = asyncio.get_running_loop(), mulaw.encode(utterance()), list[float]()
    size = int(BLOCK_S * 8000)

    async def blocks() -> AsyncIterator[Audio | Finalize | Stop]:
        await asyncio.sleep(late)
        while loop.time() < CALL_S:
            for start in range(0, len(encoded), size):
                await asyncio.sleep(BLOCK_S)
                yield Audio(encoded[start : start + size])
            await asyncio.sleep(ASKED_AFTER_S)
            asked.append(loop.time())
            yield Finalize()
            await asyncio.sleep(order.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))

    while loop.time() < CALL_S:
        try:
            async for item in service.stream(Start(language="en"), blocks()):
                if isinstance(item, Final):
                    heard.finals.append((loop.time() - asked.pop(0)) * 1000)
        except DeadlineExceeded:
            heard.late += 1
            asked.clear()


async def calls(cost: Cost, streams: int) -> Shared:
    """What so many streams on one core hear."""
    core, heard, order = OneCore(cost), Heard(), random.Random(1)
    service = AsrService(core, Nobody())
    async with asyncio.TaskGroup() as tasks:
        for _ in range(streams):
            tasks.create_task(caller(service, order, order.uniform(0, TURN_S), heard))
    p50, p95 = quantile(heard.finals, 0.5), quantile(heard.finals, 0.95)
    return Shared(streams, p50, p95, heard.late, core.partials_heard / len(heard.finals))


def simulated(name: str, window_s: int, cost: Cost) -> Row:
    """A line of the table."""
    capacity = TURN_S * 1000 / cost.final_cpu
    shared = [run_virtual(calls(cost, max(1, int(capacity * busy)))) for busy in BUSY]
    return Row(name, window_s, cost, capacity, shared)


def main(sizes: Sequence[str], seconds: float) -> None:
    """Measure and print."""
    rows: list[Row] = []
    print(f"ms; {os.cpu_count()} cores, one for this; others: cores that other processes took while it was measured")
    print(" " * 61 + "| on one core: one stream, finals taking 35 % of it, and 70 %")
    print("model window |  p50   p95 CPU final partial others | streams |" + " streams   p50   p95 late partials |" * 3)
    with tempfile.TemporaryDirectory() as folder:
        for name in sizes:
            directory = build_canned_whisper(Path(folder, name), SENTENCE, size=SIZES[name], languages=("en", "de"))
            for window_s in WINDOWS_S:
                row = simulated(name, window_s, asyncio.run(measured(directory, window_s, seconds)))
                rows.append(row)
                alone = row.alone
                print(
                    f"{name:<5} {window_s:>4} s |{alone.p50:>5.0f} {alone.p95:>5.0f} {alone.final_cpu:>9.0f}"
                    f" {alone.partial_cpu:>7.0f} {alone.others:>6.1f} | {row.streams_per_core:>7.1f} |"
                    + "".join(
                        f" {shared.streams:>7} {shared.p50:>5.0f} {shared.p95:>5.0f} {shared.late:>4}"
                        f" {shared.partials_a_final:>8.1f} |"
                        for shared in row.shared
                    ),
                    flush=True,
                )
    RESULTS.parent.mkdir(exist_ok=True)
    told = [
        row._asdict() | {"alone": row.alone._asdict(), "shared": [one._asdict() for one in row.shared]} for row in rows
    ]
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", default="tiny,base,small", help="which, separated by commas")
    arguments.add_argument("--seconds", type=float, default=12.0, help="of measuring for each line")
    told = arguments.parse_args()
    main(told.sizes.split(","), told.seconds)
