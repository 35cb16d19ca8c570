"""Scriza's side of pocketsphinx: the engine behind the `asr` module when no other is on this machine."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import structlog

from scriza.audio.mulaw import Samples
from scriza.audio.resample import resample
from scriza.kernel.errors import BadInput
from scriza.ports.asr import Transcript
from scriza.worker import Worker
from scriza_adapters.sphinx.messages import Prepare, Ready, Recognise

_log = structlog.get_logger()

_MODEL_RATE = 16_000
_PREPARE_S = 10.0
_DEADLINES_S = {"partial": 5.0, "final": 10.0, "recording": 30.0}
"""For one piece of audio, those of others that wait before it included."""
_GRACE_S = 2.0
"""Longer than a phrase takes: a recognition that nobody waits for any more ends, and its process lives."""


class PocketsphinxEngine:
    """Recognises the phrases it is given, in English; with none, any English badly.

    `places` processes listen to live calls, one more to recordings, which take long without phrases; each is started
    when it is first needed. Recognising changing hypotheses is not worth its cost here: there are no partials.
    """

    name = "pocketsphinx"
    partials = False

    def __init__(self, places: int = 1) -> None:
        self.places = places
        self._calls = {_worker(f"pocketsphinx {number}"): 0 for number in range(1, places + 1)}
        """The processes, and how much each has to do."""
        self._recordings = _worker("pocketsphinx for recordings")

    async def warm_up(self) -> None:
        """Start the processes for calls. Raises Unavailable when they do not start."""
        await asyncio.gather(*(worker.start() for worker in self._calls))

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        """Empty: it hears English only."""
        return ""

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Build the recogniser of these phrases. Raises BadInput for a language other than English."""
        _check(language)
        if not phrases:
            return
        request = Prepare(list(phrases))
        ready = await asyncio.gather(*(worker.call(request, Ready, deadline=_PREPARE_S) for worker in self._calls))
        if left_out := ready[0].left_out:
            _log.warning("sphinx.phrases_left_out", phrases=left_out, reason="not to be said in English")

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        prompt: str = "",
        purpose: Literal["partial", "final", "recording"],
    ) -> Transcript:
        """Words of an utterance. Raises BadInput for another language, and what `Worker.call` raises."""
        _check(language)
        if sample_rate > _MODEL_RATE:
            samples = await asyncio.to_thread(resample, samples, sample_rate, _MODEL_RATE)
            sample_rate = _MODEL_RATE
        request = Recognise(samples.astype("<i2").tobytes(), sample_rate, list(phrases))
        deadline = _DEADLINES_S[purpose]
        if purpose == "recording":
            return await self._recordings.call(request, Transcript, deadline=deadline)
        with self._least_busy() as worker:
            return await worker.call(request, Transcript, deadline=deadline)

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.close() for worker in (*self._calls, self._recordings)))

    @contextmanager
    def _least_busy(self) -> Iterator[Worker]:
        worker = min(self._calls, key=self._calls.__getitem__)
        self._calls[worker] += 1
        try:
            yield worker
        finally:
            self._calls[worker] -= 1


def _worker(name: str) -> Worker:
    return Worker("scriza_adapters.sphinx.child:entry", name=name, waiting=128, grace=_GRACE_S)


def _check(language: str) -> None:
    if language and language.replace("_", "-").lower().partition("-")[0] != "en":
        raise BadInput("pocketsphinx's model knows English only; another language needs faster-whisper")
