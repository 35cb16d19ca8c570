"""Scriza's side of whisper.cpp: the engine behind the `asr` module where it was chosen."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import structlog

from scriza.audio.mulaw import Samples
from scriza.audio.resample import resample
from scriza.kernel.errors import Unavailable
from scriza.ports.asr import Transcript
from scriza.worker import Worker
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
        self._calls = {_worker(settings, f"whisper.cpp {number}"): 0 for number in range(1, places + 1)}
        """The processes, and how much each has to do."""
        self._recordings = _worker(settings, "whisper.cpp for recordings")
        self._languages: list[str] | None = None

    async def warm_up(self) -> None:
        """Load the model in every process and use it once. Raises Unavailable when it cannot be loaded."""
        try:
            await asyncio.gather(*(worker.start() for worker in self._calls))
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
        with self._least_busy() as worker:
            return (await worker.call(request, Detected, deadline=_DEADLINES_S["final"])).language

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
        deadline = _DEADLINES_S[purpose]
        if purpose == "recording":
            return await self._recordings.call(request, Transcript, deadline=deadline)
        with self._least_busy() as worker:
            return await worker.call(request, Transcript, deadline=deadline)

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.close() for worker in (*self._calls, self._recordings)))

    async def _language(self, language: str) -> str:
        if self._languages is None:
            worker = next(iter(self._calls))
            self._languages = (await worker.call(Describe(), Known, deadline=_LOAD_S)).languages
        return whisper_language(language, self._languages)

    @contextmanager
    def _least_busy(self) -> Iterator[Worker]:
        worker = min(self._calls, key=self._calls.__getitem__)
        self._calls[worker] += 1
        try:
            yield worker
        finally:
            self._calls[worker] -= 1


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
