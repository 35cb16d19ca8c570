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
from scriza_adapters.sphinx.messages import Prepare, Ready, Recognise
from scriza_adapters.sphinx.phrases import spoken

_log = structlog.get_logger()

_MODEL_RATE = 16_000
_PREPARE_S = 10.0
_DEADLINES_S = {"partial": 5.0, "final": 10.0, "recording": 30.0}
"""For one piece of audio, those of others that wait before it included."""


def sphinx_worker() -> Worker:
    """The process that holds pocketsphinx."""
    return Worker("scriza_adapters.sphinx.child:entry", name="pocketsphinx", waiting=128)


class PocketsphinxEngine:
    """Recognises the phrases it is given, in English; with none, any English badly.

    `worker` is closed by whoever made it. Recognising changing hypotheses is not worth its cost here: there are no
    partials.
    """

    name = "pocketsphinx"
    places = 1
    partials = False

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def warm_up(self) -> None:
        """Start the process. Raises Unavailable when it does not start."""
        await self._worker.start()

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Build the recogniser of these phrases. Raises BadInput for a language other than English."""
        _check(language)
        unspeakable = sum(not spoken(phrase) for phrase in phrases)
        if unspeakable:
            _log.warning("sphinx.phrases_left_out", phrases=unspeakable, reason="not to be said in English")
        if phrases:
            await self._worker.call(Prepare(list(phrases)), Ready, deadline=_PREPARE_S)

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        purpose: Literal["partial", "final", "recording"],
    ) -> Transcript:
        """Words of an utterance. Raises BadInput for another language, and what `Worker.call` raises."""
        _check(language)
        if sample_rate > _MODEL_RATE:
            samples = await asyncio.to_thread(resample, samples, sample_rate, _MODEL_RATE)
            sample_rate = _MODEL_RATE
        request = Recognise(samples.astype("<i2").tobytes(), sample_rate, list(phrases))
        return await self._worker.call(request, Transcript, deadline=_DEADLINES_S[purpose])


def _check(language: str) -> None:
    if language and language.replace("_", "-").lower().partition("-")[0] != "en":
        raise BadInput("pocketsphinx's model knows English only; another language needs faster-whisper")
