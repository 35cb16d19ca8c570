"""The server under load: Scriza as it is, with engines that answer at once and predictably.

Recogniser, voice and model are stand-ins, so that what is measured is Scriza; the socket, VAD, turn taking, agent,
playout, journal and store are the real ones. With a second argument it also writes, every second, the longest time
for which its event loop was kept busy.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import numpy as np
import uvicorn
import uvloop
from dependency_injector import providers

from scriza import logs
from scriza.app import application, container_of, settled
from scriza.audio import mulaw
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript
from scriza.ports.tts import Speak, Spoken, SpokenAudio, SpokenDone, SpokenWord, SpokenWords
from scriza.settings import load

_TONE = mulaw.encode((6000 * np.sin(2 * np.pi * 300 * np.arange(8000 * 30) / 8000)).astype(np.int16))
_WORD_MS = 220
_PIECE = 200 * mulaw.BYTES_PER_MS
_ASKED = ("how much does it cost per month", "do you have a free trial", "is my data safe", "what does it do")


class InstantAsr:
    """Understands the next of four questions whenever it is asked."""

    async def transcribe(self, request: Transcribe) -> Transcript:
        """A recording says the first question."""
        return Transcript(_ASKED[0], 0.9, [])

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        """The next question at each finalize."""
        asked = count()
        async for block in blocks:
            if isinstance(block, Finalize):
                yield Final(_ASKED[next(asked) % len(_ASKED)], 0.9, [], 0.0, 0.0)


class InstantTts:
    """Hums, as long as the words would take."""

    async def speak(self, request: Speak) -> Spoken:
        """A second of it."""
        return Spoken(duration=1.0, cache_hit=True, audio_base64=_TONE[: mulaw.SAMPLE_RATE])

    async def stream_speak(self, request: Speak) -> AsyncIterator[SpokenAudio | SpokenWords | SpokenDone]:
        """All at once."""
        chars, words = 0, []
        for place, word in enumerate(request.text.split(" ")):
            chars += len(word)
            words.append(SpokenWord(place * _WORD_MS, (place + 1) * _WORD_MS, chars))
            chars += 1
        yield SpokenWords(words)
        length = words[-1].end_ms * mulaw.BYTES_PER_MS
        for start in range(0, length, _PIECE):
            yield SpokenAudio(_TONE[start : min(length, start + _PIECE)])
        yield SpokenDone(length / mulaw.SAMPLE_RATE, len(request.text), cache_hit=True)


async def watch_the_loop(log: Path) -> None:
    """Write down each second the longest stretch that the loop worked without a break.

    Taken as CPU time of its thread between two alarms that ring every 2 ms, so that other processes on the machine do
    not count as our blocking.
    """
    loop = asyncio.get_running_loop()
    with log.open("w") as lines:
        while True:
            worst, until = 0.0, loop.time() + 1
            while loop.time() < until:
                before = time.thread_time()
                await asyncio.sleep(0.002)
                worst = max(worst, time.thread_time() - before)
            lines.write(f"{worst * 1000:.2f}\n")
            lines.flush()


async def main(port: int, loop_log: str) -> None:
    """Serve until terminated."""
    settings = load(host="127.0.0.1", port=port)
    logs.configure(settings.log, "error")
    container = container_of(settings)
    container.asr.override(providers.Object(InstantAsr()))
    container.tts.override(providers.Object(InstantTts()))
    config = uvicorn.Config(
        application(container, around=[settled]),
        port=port,
        log_level="error",
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch_the_loop(Path(loop_log))) if loop_log else None
        await uvicorn.Server(config).serve()
        if watching:
            watching.cancel()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
