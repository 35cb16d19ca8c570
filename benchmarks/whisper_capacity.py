"""How many callers one core can listen to: faster-whisper in the real sizes, int8, by the encoder's window.

The models have the real architecture of tiny, base and small and weights without knowledge: whatever is said, they
hear the same sentence of 12 words, so that every final decodes 12 tokens. Times are those of real weights; how well
real ones hear, above all in shorter windows, is another matter. Engine, places, partials and finals are those of
production.

A stream is a caller who speaks for 3 s and then listens for 3 s, again and again. Prints a table and writes
`benchmarks/results/whisper_capacity.json`.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.standins.canned_whisper import BASE, SMALL, TINY, Size, build_canned_whisper

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.events import Event
from scriza.modules.asr.service import AsrService
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop
from scriza_adapters.whisper.engine import WhisperEngine, WhisperOptions

RESULTS = Path(__file__).parent / "results" / "whisper_capacity.json"
SENTENCE = "well I think that would be fine but what does it cost"
SPOKEN_S, PAUSE_S = 3.0, 3.0
BLOCK_S = 0.1
BUSY = 0.7
"""How much of the core the streams under load are to take."""
SIZES: dict[str, Size] = {"tiny": TINY, "base": BASE, "small": SMALL}
WINDOWS_S = {"tiny": (30, 10, 5), "base": (30, 10, 5), "small": (30, 5)}


class Row(NamedTuple):
    """One model with one window; times in ms."""

    model: str
    window_s: int
    alone_p50: float
    alone_p95: float
    cpu_of_a_final: float
    streams_per_core: float
    streams: int
    loaded_p50: float
    loaded_p95: float
    finals: int
    partials_a_final: float


class Nobody:
    """A teller to whom nobody listens."""

    def tell(self, *events: Event) -> None:
        """Nothing is kept."""


def utterance() -> Samples:
    """Three seconds that are loud enough to be speech."""
    return np.random.default_rng(0).normal(0, 2000, int(SPOKEN_S * 8000)).astype(np.int16)


def quantile(values: Sequence[float], share: float) -> float:
    """By rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def alone(engine: WhisperEngine, seconds: float) -> tuple[list[float], float]:
    """How long finals take, one after the other, and the CPU time of one; ms."""
    samples, took = utterance(), list[float]()
    began_cpu, began = time.process_time(), time.perf_counter()
    while len(took) < 3 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        heard = await engine.recognise(samples, 8000, language="en", phrases=["Paper Kite"], purpose="final")
        assert heard.text == SENTENCE, heard.text
        took.append((time.perf_counter() - start) * 1000)
    return took, (time.process_time() - began_cpu) * 1000 / len(took)


async def caller(service: AsrService, until: float, late: float, finals: list[float], partials: list[int]) -> None:
    """Speaks and listens in turn; notes how long each final took after the end of speech."""
    encoded = mulaw.encode(utterance())
    asked: list[float] = []
    size = int(BLOCK_S * 8000)

    async def blocks() -> AsyncIterator[Audio | Finalize | Stop]:
        await asyncio.sleep(late)
        begins = time.perf_counter()
        while time.perf_counter() < until:
            for number in range(int(SPOKEN_S / BLOCK_S)):
                await asyncio.sleep(max(0.0, begins + number * BLOCK_S - time.perf_counter()))
                yield Audio(encoded[number * size : (number + 1) * size])
            asked.append(time.perf_counter())
            yield Finalize()
            begins += SPOKEN_S + PAUSE_S
            await asyncio.sleep(max(0.0, begins - time.perf_counter()))

    async for item in service.stream(Start(language="en", phrases=["Paper Kite"]), blocks()):
        match item:
            case Final():
                finals.append((time.perf_counter() - asked.pop(0)) * 1000)
            case Partial():
                partials.append(1)


async def loaded(engine: WhisperEngine, streams: int, seconds: float) -> tuple[list[float], int]:
    """How long the finals of so many streams take, and how many partials they had."""
    service, finals, partials = AsrService(engine, Nobody()), list[float](), list[int]()
    until, order = time.perf_counter() + seconds, random.Random(1)
    offsets = [(SPOKEN_S + PAUSE_S) * (number + order.random()) / streams for number in range(streams)]
    async with asyncio.TaskGroup() as tasks:
        for late in offsets:
            tasks.create_task(caller(service, until, late, finals, partials))
    return finals, len(partials)


async def measured(name: str, directory: Path, window_s: int, seconds: float) -> Row:
    """One row of the table."""
    engine = WhisperEngine(directory, WhisperOptions(device="cpu", compute_type="int8", threads=1, window_s=window_s))
    await engine.warm_up()
    took, cpu = await alone(engine, seconds / 4)
    capacity = (SPOKEN_S + PAUSE_S) * 1000 / cpu
    streams = max(1, int(capacity * BUSY))
    finals, partials = await loaded(engine, streams, seconds)
    await engine.close()
    return Row(
        name, window_s, quantile(took, 0.5), quantile(took, 0.95), cpu, capacity, streams,
        quantile(finals, 0.5), quantile(finals, 0.95), len(finals), partials / len(finals),
    )  # fmt: skip


async def main(sizes: Sequence[str], seconds: float) -> None:
    """Measure and print."""
    rows: list[Row] = []
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; times in ms")
    print("model  window | alone: p50    p95   CPU | streams/core | under load: streams   p50    p95  finals  partials")
    with tempfile.TemporaryDirectory() as folder:
        for name in sizes:
            directory = await asyncio.to_thread(
                build_canned_whisper, Path(folder, name), SENTENCE, size=SIZES[name], languages=("en", "de")
            )
            for window_s in WINDOWS_S[name]:
                row = await measured(name, directory, window_s, seconds)
                rows.append(row)
                print(
                    f"{name:<6} {window_s:>4} s | {row.alone_p50:>10.0f} {row.alone_p95:>6.0f}"
                    f" {row.cpu_of_a_final:>5.0f} | {row.streams_per_core:>12.1f} | {row.streams:>19}"
                    f" {row.loaded_p50:>5.0f} {row.loaded_p95:>6.0f} {row.finals:>7} {row.partials_a_final:>9.1f}",
                    flush=True,
                )
    write(rows)


def write(rows: list[Row]) -> None:
    """Keep the figures."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(json.dumps([row._asdict() for row in rows]).encode(), indent=1) + b"\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", default="tiny,base,small", help="which, separated by commas")
    arguments.add_argument("--seconds", type=float, default=18.0, help="of load for each row")
    told = arguments.parse_args()
    asyncio.run(main(told.sizes.split(","), told.seconds))
