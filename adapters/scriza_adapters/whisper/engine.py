"""Whisper by CTranslate2: one model for the process, a few threads that use it."""

import asyncio
import math
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import structlog

from scriza.audio.mulaw import Samples
from scriza.audio.resample import resample
from scriza.kernel.errors import BadInput, Unavailable, UpstreamFailed
from scriza.ports.asr import HeardWord, Transcript
from scriza_adapters.whisper.guards import believable, loop_starts
from scriza_adapters.whisper.models import missing_files

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_log = structlog.get_logger()

_RATE = 16_000
_HINT_CHARACTERS = 300
"""About 80 tokens; every one makes each recognition a little slower."""
_MOST_TOKENS, _TOKENS_ANYWAY, _TOKENS_PER_S = 200, 16, 8.0
"""Nobody speaks more than eight tokens a second: a longer text is a loop."""

Purpose = Literal["partial", "final", "recording"]


class WhisperEngine:
    """Recognises with the model in the directory `model`, `places` utterances at a time and a recording beside them.

    `device` is CTranslate2's: ``auto``, ``cpu`` or ``cuda``. Words get their times from their segment's, by length; the
    tokens that tell where a segment begins and ends are spent on recordings only.
    """

    name = "faster-whisper"
    partials = True

    def __init__(self, model: Path, *, places: int = 1, device: str = "auto") -> None:
        self.places = places
        self._directory = model
        self._device = device
        self._threads = ThreadPoolExecutor(places + 1, thread_name_prefix="whisper")
        self._loading: asyncio.Task[WhisperModel] | None = None

    async def warm_up(self) -> None:
        """Load the model and use it once. Raises Unavailable when it cannot be loaded."""
        await self._model()
        await self.recognise(np.zeros(_RATE, np.int16), _RATE, language="", phrases=(), purpose="partial")

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Load the model. Raises BadInput for a language that it does not know, Unavailable when it does not load."""
        _language(await self._model(), language)

    async def recognise(
        self, samples: Samples, sample_rate: int, *, language: str, phrases: Sequence[str], purpose: Purpose
    ) -> Transcript:
        """Words of an utterance. Raises BadInput, Unavailable as `prepare`, UpstreamFailed when the model fails."""
        model = await self._model()
        known = _language(model, language)
        stop = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, self._recognised, model, samples, sample_rate, known, _hint(phrases), purpose, stop
            )
        finally:
            stop.set()

    async def close(self) -> None:
        """Let go of the threads; what they are at ends unheard."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])
        self._threads.shutdown(wait=False, cancel_futures=True)

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
        took = round((loop.time() - began) * 1000)
        _log.info("whisper.loaded", model=self._directory.name, device=model.model.device, load_ms=took)
        return model

    def _loaded(self) -> "WhisperModel":
        from faster_whisper import WhisperModel

        return WhisperModel(
            str(self._directory),
            device=self._device,
            compute_type="auto",
            cpu_threads=max(1, (os.cpu_count() or 1) // self.places),
            num_workers=self.places + 1,
            local_files_only=True,
        )

    def _recognised(
        self,
        model: "WhisperModel",
        samples: Samples,
        sample_rate: int,
        language: str | None,
        hint: str,
        purpose: Purpose,
        stop: threading.Event,
    ) -> Transcript:
        seconds = len(samples) / sample_rate
        sound = resample(samples, sample_rate, _RATE).astype(np.float32) / np.float32(32768)
        heard: list[tuple[list[HeardWord], float]] = []
        try:
            segments, _ = model.transcribe(
                sound,
                language=language,
                beam_size=5 if purpose == "final" else 1,
                temperature=0.0,
                condition_on_previous_text=False,
                without_timestamps=purpose != "recording",
                hotwords=hint or None,
                max_new_tokens=min(_MOST_TOKENS, _TOKENS_ANYWAY + int(_TOKENS_PER_S * seconds)),
                vad_filter=False,
            )
            for segment in segments:
                if stop.is_set():
                    break
                if believable(segment, hint):
                    sure = math.exp(min(0.0, segment.avg_logprob))
                    heard.append((spread(segment.text, segment.start, min(segment.end, seconds), sure), sure))
        except (RuntimeError, ValueError) as error:
            raise UpstreamFailed(f"faster-whisper failed: {type(error).__name__}") from error
        return _transcript(heard)


def _transcript(heard: list[tuple[list[HeardWord], float]]) -> Transcript:
    words = [word for segment, _ in heard for word in segment]
    words = words[: loop_starts([word.word for word in words])]
    if not words:
        return Transcript("", 0.0, [])
    counted = sum(len(segment) for segment, _ in heard)
    confidence = sum(sure * len(segment) for segment, sure in heard) / counted
    return Transcript(" ".join(word.word for word in words), round(confidence, 3), words)


def spread(text: str, start: float, end: float, confidence: float) -> list[HeardWord]:
    """The words of `text` between `start` and `end` (seconds), each as long as its letters take, a pause included."""
    words = text.split()
    unit = max(0.0, end - start) / max(1, sum(len(word) + 1 for word in words))
    heard: list[HeardWord] = []
    at = start
    for word in words:
        until = at + (len(word) + 1) * unit
        heard.append(HeardWord(word, round(at, 3), round(until, 3), round(confidence, 3)))
        at = until
    return heard


def _language(model: "WhisperModel", language: str) -> str | None:
    """The model's name of the language; none lets it detect one."""
    known = model.supported_languages
    code = language.replace("_", "-").lower().partition("-")[0]
    if code and code not in known:
        raise BadInput(f"this model does not know {code!r}" + ("; it knows English only" if known == ["en"] else ""))
    return code or (known[0] if len(known) == 1 else None)


def _hint(phrases: Sequence[str]) -> str:
    """As many of the phrases as Whisper takes for a hint, the first ones."""
    hint = ""
    for phrase in phrases:
        longer = f"{hint}, {phrase.strip()}" if hint else phrase.strip()
        if len(longer) > _HINT_CHARACTERS:
            break
        hint = longer
    return hint
