"""Speech: how soon and how fast clips are made and served, and what the directory of objects does a second.

The engine is espeak-ng in its worker process; everything else is as it runs in production. Prints a table and writes
`benchmarks/results/speech.json`.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from scriza.kernel.events import Event
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone
from scriza_adapters.espeak.engine import EspeakEngine, espeak_worker
from scriza_adapters.objects_directory import DirectoryObjects

RESULTS = Path(__file__).parent / "results" / "speech.json"
CLIPS = 200
OBJECTS = 1000
OBJECT_BYTES = 20_000


class Nobody:
    """A teller to whom nobody listens."""

    def tell(self, *events: Event) -> None:
        """Nothing is kept."""


def row(name: str, values: Sequence[float], unit: str) -> dict[str, object]:
    """Print one line of the table."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    told = {"p50": statistics.median(ordered), "p95": p95, "max": ordered[-1]}
    print(f"{name:<44} {told['p50']:>10.3f} {told['p95']:>10.3f} {told['max']:>10.3f}  {unit}")
    return {"name": name, "unit": unit, **told}


async def first_and_whole(speech: TtsService, text: str) -> tuple[float, float, float]:
    """Milliseconds to the first audio and to the end, and seconds of audio."""
    began, first = time.perf_counter(), 0.0
    async with aclosing(speech.stream_speak(Speak(text))) as parts:
        async for part in parts:
            if isinstance(part, SpokenAudio) and not first:
                first = time.perf_counter() - began
            if isinstance(part, SpokenDone):
                return first * 1000, (time.perf_counter() - began) * 1000, part.duration
    raise AssertionError("no end")


async def main() -> None:
    """Measure everything."""
    rows = []
    print(f"{'':<44} {'p50':>10} {'p95':>10} {'max':>10}")
    with tempfile.TemporaryDirectory() as directory:
        worker = espeak_worker()
        objects = DirectoryObjects(Path(directory), url="http://127.0.0.1", key="key")
        speech = TtsService([EspeakEngine(worker)], objects, Nobody())
        began = time.perf_counter()
        await speech.warm_up()
        rows.append(row("espeak worker: cold start", [(time.perf_counter() - began) * 1000], "ms"))
        text = "Well, plan number {} starts at forty nine dollars a month, and you can cancel it at any time."
        made = [await first_and_whole(speech, text.format(number)) for number in range(CLIPS)]
        rows.append(row("a clause made: first audio", [first for first, _, _ in made], "ms"))
        rows.append(row("a clause made: all of it", [whole for _, whole, _ in made], "ms"))
        rows.append(row("a clause made: time over its duration", [whole / 1000 / s for _, whole, s in made], ""))
        hot = [await first_and_whole(speech, text.format(number)) for number in range(CLIPS)]
        rows.append(row("a clause from memory: first audio", [first for first, _, _ in hot], "ms"))
        rows.append(row("a clause from memory: all of it", [whole for _, whole, _ in hot], "ms"))
        await speech.close()
        again = TtsService([EspeakEngine(worker)], objects, Nobody())
        cold = [await first_and_whole(again, text.format(number)) for number in range(CLIPS)]
        rows.append(row("a clause from the disk: first audio", [first for first, _, _ in cold], "ms"))
        long = [await first_and_whole(again, f"{number}. " + "It goes on and on. " * 250) for number in range(5)]
        rows.append(row("5,000 characters made: first audio", [first for first, _, _ in long], "ms"))
        rows.append(row("5,000 characters made: all of it", [whole for _, whole, _ in long], "ms"))
        files = []
        for number in range(10):
            began = time.perf_counter()
            await again.speak(Speak(f"As a file, number {number}, for a web page or a voice mail."))
            files.append((time.perf_counter() - began) * 1000)
        rows.append(row("a clause made as mp3: all of it", files[1:], "ms"))
        await again.close()
        await worker.close()
        rows += await objects_rates(objects)
    await asyncio.to_thread(write, rows)


async def objects_rates(objects: DirectoryObjects) -> list[dict[str, object]]:
    """Puts and gets a second, eight at a time."""
    rates = []
    for name, act in (
        ("put", lambda key: objects.put(key, bytes(OBJECT_BYTES), "audio/basic")),
        ("get", objects.get),
    ):
        keys = iter([f"bench/{number % 16:x}/{number}.ulaw" for number in range(OBJECTS)])

        async def run() -> None:
            for key in keys:  # noqa: B023 # the eight share it
                await act(key)  # noqa: B023

        began = time.perf_counter()
        await asyncio.gather(*(run() for _ in range(8)))
        rates.append(
            row(f"objects in a directory, 20 kB: {name}", [OBJECTS / (time.perf_counter() - began)], "a second")
        )
    await objects.close()
    return rates


def write(rows: list[dict[str, object]]) -> None:
    """Keep the figures."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
