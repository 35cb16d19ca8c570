"""Scriza's side of pocketsphinx: the engine behind the `asr` module when no other is on this machine."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import structlog

from scriza.audio.mulaw import Samples
from scriza.audio.resample import resample
from scriza.kernel.errors import BadInput
from scriza.ports.asr import Transcript
from scriza.worker import Worker
from scriza_adapters.recogniser_workers import RecogniserWorkers
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
        self._workers = RecogniserWorkers(_worker, "pocketsphinx", places)

    async def warm_up(self) -> None:
        """Start the processes for calls. Raises Unavailable when they do not start."""
        await self._workers.start()

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        """Empty: it hears English only."""
        return ""

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Build the recogniser of these phrases. Raises BadInput for a language other than English."""
        _check(language)
        if not phrases:
            return
        ready = await self._workers.call_all(Prepare(list(phrases)), Ready, deadline=_PREPARE_S)
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
        return await self._workers.call(
            request, Transcript, deadline=_DEADLINES_S[purpose], recording=purpose == "recording"
        )

    async def close(self) -> None:
        """End the processes."""
        await self._workers.close()


def _worker(name: str) -> Worker:
    return Worker("scriza_adapters.sphinx.child:entry", name=name, waiting=128, grace=_GRACE_S)


def _check(language: str) -> None:
    if language and language.replace("_", "-").lower().partition("-")[0] != "en":
        raise BadInput("pocketsphinx's model knows English only; another language needs faster-whisper")
