"""faster-whisper as an engine: one model for the process, a few threads that use it."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
import numpy as np
import structlog

from scriza.audio.mulaw import Samples
from scriza.audio.resample import resample
from scriza.kernel.errors import Unavailable, UpstreamFailed
from scriza.ports.asr import Transcript
from scriza_adapters.whisper.decoding import LONGEST_WINDOW_S, RATE, Asked, Decoder, Sound
from scriza_adapters.whisper.hints import hints
from scriza_adapters.whisper.languages import whisper_language
from scriza_adapters.whisper.models import missing_files

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_log = structlog.get_logger()

_BEAM_SIZES = {"partial": 1, "final": 5, "recording": 1}

Purpose = Literal["partial", "final", "recording"]
T = TypeVar("T")


class WhisperOptions(msgspec.Struct, frozen=True):
    """How a model is run. `device` and `compute_type` are CTranslate2's."""

    places: int = 1
    """Utterances that are recognised at the same time, a recording beside them."""
    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 0
    """Of the processor, for each place; 0 shares the cores out."""
    window_s: float = LONGEST_WINDOW_S
    """Seconds of audio that the encoder sees at least; see `Decoder`."""


class WhisperEngine:
    """Recognises with the model in the directory `model`, which is loaded once, when it is first needed."""

    name = "faster-whisper"
    partials = True

    def __init__(self, model: Path, options: WhisperOptions | None = None) -> None:
        self._options = options or WhisperOptions()
        self.places = self._options.places
        self._directory = model
        self._threads = ThreadPoolExecutor(2 * self.places + 1, thread_name_prefix="whisper")
        """One for each place, one for a recording, and one for each that ends unheard."""
        self._unheard = 0
        """Recognitions that nobody waits for any more; CTranslate2 cannot be interrupted."""
        self._loading: asyncio.Task[WhisperModel] | None = None

    async def warm_up(self) -> None:
        """Load the model and use it once. Raises Unavailable when it cannot be loaded."""
        await self._model()
        await self.recognise(np.zeros(RATE, np.int16), RATE, language="", phrases=(), purpose="partial")

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Load the model. Raises BadInput for a language that it does not know, Unavailable when it does not load."""
        whisper_language(language, (await self._model()).supported_languages)

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        """The language that is spoken, as a code; empty when the model is not sure, or knows one only."""
        model = await self._model()
        if not model.model.is_multilingual:
            return ""
        decoder = Decoder(model, self._options.window_s)
        return await self._in_thread(lambda: decoder.language_of(_sound(samples, sample_rate)))

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        prompt: str = "",
        purpose: Purpose,
    ) -> Transcript:
        """Words of an utterance.

        Raises BadInput and Unavailable as `prepare`, UpstreamFailed when the model fails, and Unavailable for a partial
        while another one, which was cancelled, has not ended yet.
        """
        if purpose == "partial" and self._unheard:
            raise Unavailable("a partial that was given up has not ended yet")
        model = await self._model()
        code = whisper_language(language, model.supported_languages)
        asked = Asked(code, hints(phrases, prompt), _BEAM_SIZES[purpose])
        decoder, stop = Decoder(model, self._options.window_s), threading.Event()
        try:
            return await self._in_thread(lambda: decoder.recognise(_sound(samples, sample_rate), asked, stop))
        finally:
            stop.set()

    async def close(self) -> None:
        """Let go of the threads; what they are at ends unheard."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._unheard += 1
            running.add_done_callback(self._ended_unheard)
            raise
        except (RuntimeError, ValueError) as error:
            raise UpstreamFailed(f"faster-whisper failed: {type(error).__name__}") from error

    def _ended_unheard(self, running: "asyncio.Future[T]") -> None:
        self._unheard -= 1
        if not running.cancelled():
            running.exception()  # nobody else asks for it

    async def _model(self) -> "WhisperModel":
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = asyncio.create_task(self._load(), name="whisper model")
        return await asyncio.shield(self._loading)

    async def _load(self) -> "WhisperModel":
        if missing := missing_files(self._directory):
            raise Unavailable(f"{self._directory} is no model of faster-whisper: it has no {missing[0]}")
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            model = await loop.run_in_executor(self._threads, self._loaded)
        except (RuntimeError, ValueError, OSError) as error:
            raise Unavailable(f"the model in {self._directory} cannot be loaded: {error}") from error
        _log.info(
            "whisper.loaded",
            model=self._directory.name,
            device=model.model.device,
            compute_type=model.model.compute_type,
            window_s=self._options.window_s,
            load_ms=round((loop.time() - began) * 1000),
        )
        return model

    def _loaded(self) -> "WhisperModel":
        from faster_whisper import WhisperModel

        return WhisperModel(
            str(self._directory),
            device=self._options.device,
            compute_type=self._options.compute_type,
            cpu_threads=self._options.threads or max(1, (os.cpu_count() or 1) // self.places),
            num_workers=self.places + 2,  # a recording, and what ends unheard, beside the calls
            local_files_only=True,
        )


def _sound(samples: Samples, sample_rate: int) -> Sound:
    return resample(samples, sample_rate, RATE).astype(np.float32) / np.float32(32768)
