"""Scriza's side of whisper.cpp: the engine behind the `asr` module where it was chosen."""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import structlog

from scriza.audio.mulaw import Samples
from scriza.audio.resample import resample
from scriza.kernel.errors import Unavailable
from scriza.ports.asr import Transcript
from scriza.worker import Worker
from scriza_adapters.recogniser_workers import RecogniserWorkers
from scriza_adapters.whisper.hints import hints
from scriza_adapters.whisper.languages import whisper_language
from scriza_adapters.whisper_cpp.messages import Describe, Detect, Detected, Known, Recognise, Settings

_log = structlog.get_logger()

_RATE = 16_000
_LOAD_S = 60.0
_DEADLINES_S = {"partial": 10.0, "final": 20.0, "recording": 60.0}
_BEAM_SIZES = {"partial": 1, "final": 5, "recording": 1}
_GRACE_S = 5.0
"""A recognition that is told to stop does so between two steps of its model."""


class WhisperCppEngine:
    """Recognises with the ggml file `model` in `places` processes, and in one more when there are recordings.

    Every process has a copy of the model. `threads` is for each of them, 0 shares the cores out; `window_s` is how many
    seconds of audio the encoder sees at least: 30 is what Whisper was trained with, less is cheaper.
    """

    name = "whisper-cpp"
    partials = True

    def __init__(self, model: Path, *, places: int = 1, threads: int = 0, window_s: float = 30.0) -> None:
        self.places = places
        settings = Settings(str(model), threads or max(1, (os.cpu_count() or 1) // places), window_s)
        self._model = model
        self._workers = RecogniserWorkers(partial(_worker, settings), "whisper.cpp", places)
        self._languages: list[str] | None = None

    async def warm_up(self) -> None:
        """Load the model in every process and use it once. Raises Unavailable when it cannot be loaded."""
        try:
            await self._workers.start()
        except Unavailable as error:
            raise Unavailable(f"the model {self._model} cannot be loaded: {error.detail}") from error
        await self.recognise(np.zeros(_RATE, np.int16), _RATE, language="", phrases=(), purpose="partial")
        _log.info("whisper_cpp.loaded", model=self._model.name, processes=self.places)

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Nothing is to be done. Raises BadInput for a language that the model does not know."""
        await self._language(language)

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        """The language that is spoken, as a code; empty when the model is not sure, or knows one only."""
        request = Detect(await _pcm(samples, sample_rate))
        return (await self._workers.call(request, Detected, deadline=_DEADLINES_S["final"])).language

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
        code = await self._language(language)
        hinted = hints(phrases, prompt)
        request = Recognise(await _pcm(samples, sample_rate), code, hinted.words, hinted.prompt, _BEAM_SIZES[purpose])
        return await self._workers.call(
            request, Transcript, deadline=_DEADLINES_S[purpose], recording=purpose == "recording"
        )

    async def close(self) -> None:
        """End the processes."""
        await self._workers.close()

    async def _language(self, language: str) -> str:
        if self._languages is None:
            self._languages = (await self._workers.call(Describe(), Known, deadline=_LOAD_S)).languages
        return whisper_language(language, self._languages)


def _worker(settings: Settings, name: str) -> Worker:
    return Worker(
        "scriza_adapters.whisper_cpp.child:entry",
        settings,
        name=name,
        waiting=128,
        start_deadline=_LOAD_S,
        grace=_GRACE_S,
    )


async def _pcm(samples: Samples, sample_rate: int) -> bytes:
    if sample_rate != _RATE:
        samples = await asyncio.to_thread(resample, samples, sample_rate, _RATE)
    return samples.astype("<i2").tobytes()
