"""An engine of speech that makes tones: deterministic, counting, and as bad as a test wants it."""

import asyncio
import re
from collections.abc import AsyncGenerator

import numpy as np

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import UpstreamFailed
from scriza.ports.tts import Speak, SpokenWord

WORD_MS = 100


class ToneEngine:
    """Says every word as a tone of 100 ms.

    `fail_after` raises after so many words, `stall_after` says nothing more; `gate` is waited for before every word.
    """

    def __init__(
        self,
        name: str = "tone",
        *,
        fail_after: int | None = None,
        stall_after: int | None = None,
        failure: Exception | None = None,
        gate: asyncio.Semaphore | None = None,
    ) -> None:
        self.name = self.provider = name
        self.asked: list[Speak] = []
        self.closed = 0
        """How many clips are over, made or given up."""
        self.fail_after = fail_after
        self.stall_after = stall_after
        self.failure = failure or UpstreamFailed("the tone engine is broken")
        self.gate = gate
        self.warm = False
        self.prepared: list[Speak] = []

    def sound(self, request: Speak) -> str:
        return f"{request.voice_id}/{request.tone}/{request.locale}"

    async def synthesize(
        self, request: Speak, sample_rate: int
    ) -> AsyncGenerator[tuple[Samples, list[SpokenWord]], None]:
        self.asked.append(request)
        try:
            found = list(re.finditer(r"\S+", request.text))
            for count, match in enumerate(found):
                if count == self.fail_after:
                    raise self.failure
                if count == self.stall_after:
                    await asyncio.Event().wait()
                if self.gate is not None:
                    await self.gate.acquire()
                chars = len(request.text) if match is found[-1] else match.end()
                word = SpokenWord(count * WORD_MS, (count + 1) * WORD_MS, chars)
                yield _tone(count, sample_rate * WORD_MS // 1000), [word]
        finally:
            self.closed += 1

    def prepare(self, request: Speak) -> None:
        self.prepared.append(request)

    async def warm_up(self) -> None:
        self.warm = True


def _tone(number: int, samples: int) -> Samples:
    angle = np.arange(samples) * (0.1 + 0.01 * (number % 50))
    return (np.sin(angle) * 9000).astype(np.int16)
