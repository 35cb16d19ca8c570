"""How soon speech begins: from the cache, and what we add to the time that the vendor takes.

The vendor is the tests' stand-in in a process of its own, which answers at once; the engine, its SDK, cache, store and
wire are the real ones. "Bare" is the same request by an HTTP client that does nothing else. Calls alternate between
bare and ours, so that both meet the same machine. Prints a table and writes `benchmarks/results/speak_first_byte.json`.
"""

import argparse
import asyncio
import json
import logging
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import uvicorn
import uvloop
from litestar import Litestar

from scriza.kernel.events import Event
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak, SpokenAudio, Tts
from scriza.wire import connect, disconnect, serve
from scriza_adapters.elevenlabs.client import ElevenLabs, Way
from scriza_adapters.elevenlabs.engine import ElevenLabsEngine
from scriza_adapters.objects_directory import DirectoryObjects

RESULTS = Path(__file__).parent / "results" / "speak_first_byte.json"
TEXT = "Well, plan number {} starts at forty nine dollars a month, and you can cancel it at any time."
VOICE = "EXAVITQu4vr4xnSDxMaL"


class Nobody:
    """A teller to whom nobody listens."""

    def tell(self, *events: Event) -> None:
        """Nothing is kept."""


def row(name: str, seconds: Sequence[float]) -> dict[str, object]:
    """Print one line of the table, in milliseconds."""
    ordered = sorted(1000 * value for value in seconds)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    told = {"p50": round(statistics.median(ordered), 3), "p95": round(p95, 3), "max": round(ordered[-1], 3)}
    print(f"{name:<58} {told['p50']:>9.2f} {told['p95']:>9.2f} {told['max']:>9.2f}")
    return {"name": name, "unit": "ms", "count": len(ordered), **told}


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@asynccontextmanager
async def vendor() -> AsyncIterator[str]:
    """The stand-in as a process; yields its URL."""
    port = free_port()
    command = (sys.executable, "-m", "tests.standins.elevenlabs", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parent.parent)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(30):
            while True:
                try:
                    await client.get(url)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        await process.wait()


class Took(NamedTuple):
    """Seconds to the first audio: on the wall, and of this process's own work."""

    wall: float
    cpu: float


class Watch:
    """Runs from its making to the first audio."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self.took = Took(0.0, 0.0)

    def first(self) -> None:
        """Audio is here; only the first time counts."""
        if not self.took.wall:
            self.took = Took(time.perf_counter() - self._wall, time.thread_time() - self._cpu)


async def bare(client: httpx.AsyncClient, url: str, text: str) -> Took:
    """The first bytes of the same request."""
    watch = Watch()
    request = {"text": text, "model_id": "eleven_flash_v2_5", "language_code": "en"}
    address = f"{url}/v1/text-to-speech/{VOICE}/stream/with-timestamps?output_format=ulaw_8000"
    async with client.stream("POST", address, json=request, headers={"xi-api-key": "key"}) as answer:
        async for _ in answer.aiter_bytes():
            watch.first()
    return watch.took


async def first_audio(speech: Tts, text: str) -> Took:
    """The first audio; the clip is heard to its end."""
    watch = Watch()
    async for part in speech.stream_speak(Speak(text)):
        if isinstance(part, SpokenAudio):
            watch.first()
    return watch.took


async def spoken(speech: Tts, text: str) -> float:
    """Seconds to the whole clip in one reply."""
    began = time.perf_counter()
    await speech.speak(Speak(text, format="mulaw"))
    return time.perf_counter() - began


async def made(url: str, way: Way, count: int, folder: Path) -> list[dict[str, object]]:
    """Time to the first audio that the vendor makes, bare and ours in turns."""
    client = ElevenLabs("key", base_url=url, way=way)
    objects = DirectoryObjects(folder / way, url="http://127.0.0.1", key="key")
    speech = TtsService([ElevenLabsEngine(client)], objects, Nobody())
    await speech.warm_up()
    await first_audio(speech, "The first one is not counted.")
    theirs, ours = [], []
    async with httpx.AsyncClient(timeout=10) as plain:
        await bare(plain, url, "The first one is not counted.")
        for number in range(count):
            theirs.append(await bare(plain, url, TEXT.format(number)))
            ours.append(await first_audio(speech, TEXT.format(number)))
    await speech.close()
    await client.close()
    await objects.close()
    pairs = list(zip(ours, theirs, strict=True))
    return [
        row(f"{way}: the vendor bare, first bytes", [took.wall for took in theirs]),
        row(f"{way}: ours, first audio", [took.wall for took in ours]),
        row(f"{way}: added by us, pair by pair", [mine.wall - other.wall for mine, other in pairs]),
        row(f"{way}: added by us, our own CPU", [mine.cpu - other.cpu for mine, other in pairs]),
    ]


@asynccontextmanager
async def served(speech: TtsService) -> AsyncIterator[Tts]:
    """The same module over HTTP on loopback, in this process."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Litestar([serve(Tts, speech)]), port=port, log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 # there is no event to wait for
        await asyncio.sleep(0.02)
    client: Tts = connect(Tts, f"http://127.0.0.1:{port}")
    try:
        yield client
    finally:
        await disconnect(client)
        server.should_exit = True
        await running


async def cached(url: str, count: int, folder: Path) -> list[dict[str, object]]:
    """Time to the first audio of clips that are there already."""
    client = ElevenLabs("key", base_url=url)
    objects = DirectoryObjects(folder / "cached", url="http://127.0.0.1", key="key")
    texts = [TEXT.format(number) for number in range(count)]
    filling = TtsService([ElevenLabsEngine(client)], objects, Nobody())
    for text in texts:
        await first_audio(filling, text)
    while len(list((folder / "cached").rglob("*.json"))) < count:  # noqa: ASYNC110 # kept after they were served
        await asyncio.sleep(0.05)
    await filling.close()
    speech = TtsService([ElevenLabsEngine(client)], objects, Nobody())
    rows = [
        row(
            "cached on the disk: stream_speak, first audio", [(await first_audio(speech, text)).wall for text in texts]
        ),
        row("cached in memory: stream_speak, first audio", [(await first_audio(speech, text)).wall for text in texts]),
        row("cached in memory: speak, the whole", [await spoken(speech, text) for text in texts]),
    ]
    async with served(speech) as remote:
        await first_audio(remote, texts[0])
        rows += [
            row(
                "cached, over HTTP: stream_speak, first audio",
                [(await first_audio(remote, text)).wall for text in texts],
            ),
            row("cached, over HTTP: speak, the whole", [await spoken(remote, text) for text in texts]),
        ]
    told = await speech.speech_cache()
    if told.hits < told.clips:
        raise RuntimeError(f"{told.clips - told.hits} clips were made that should have come from the cache")
    await speech.close()
    await client.close()
    await objects.close()
    return rows


async def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    count = parser.parse_args().count
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request would be measured too
    print(f"{'ms':<58} {'p50':>9} {'p95':>9} {'max':>9}")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as directory:
        async with vendor() as url:
            ways: tuple[Way, ...] = ("timed", "plain", "socket")
            for way in ways:
                rows += await made(url, way, count, Path(directory))
            rows += await cached(url, count, Path(directory))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    uvloop.run(main())
