"""Scriza's side of espeak-ng: the engine behind the `tts` module, and a voice for simulated callers."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from scriza.audio.mulaw import SAMPLE_RATE, Samples
from scriza.kernel.errors import BadInput, Unavailable
from scriza.ports.tts import Speak, SpokenWord
from scriza.worker import Worker
from scriza_adapters.espeak import voices
from scriza_adapters.espeak.messages import Piece, Utterance
from scriza_adapters.espeak.timing import segments

_DEADLINE = 8.0
"""Seconds for a part of a text, the parts of others that wait before it included; speaking it takes some 20 ms."""


def espeak_worker() -> Worker:
    """The process that holds espeak-ng. One is enough: it speaks some 400 times faster than it sounds."""
    return Worker("scriza_adapters.espeak.child:entry", name="espeak", waiting=256)


class EspeakEngine:
    """Speaks by espeak-ng: every locale it has a voice for, in the manner of the tone."""

    name = provider = "espeak"

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def warm_up(self) -> None:
        """Start the process and load a voice, so that the first clip does not wait for it."""
        await EspeakVoice(self._worker).samples("ready")

    def prepare(self, request: Speak) -> None:
        """Nothing takes long here."""

    def sound(self, request: Speak) -> str:
        """Everything that decides how a text sounds, besides the text."""
        manner = voices.manner(request.tone)
        voice = voices.voice_for(request.voice_id, request.locale)
        return f"{voice}/{manner.rate}/{manner.pitch}/{manner.intonation}"

    async def synthesize(
        self, request: Speak, sample_rate: int
    ) -> AsyncGenerator[tuple[Samples, list[SpokenWord]], None]:
        """The next samples, with the words that end in them. Raises UpstreamFailed, DeadlineExceeded, Unavailable."""
        _need_library()
        manner = voices.manner(request.tone)
        voice = voices.voice_for(request.voice_id, request.locale)
        spoken = 0
        for offset, text in segments(request.text):
            began_ms = spoken * 1000 // sample_rate
            utterance = Utterance(text, voice, sample_rate, manner.rate, manner.pitch, manner.intonation)
            async with aclosing(self._worker.stream(utterance, Piece, deadline=_DEADLINE)) as pieces:
                async for piece in pieces:
                    samples = np.frombuffer(piece.pcm, np.dtype("<i2"))
                    spoken += len(samples)
                    yield samples, [_later(word, began_ms, offset) for word in piece.words]


def _need_library() -> None:
    if not voices.installed():
        raise Unavailable("espeak-ng is not installed; `pip install 'scriza[embedded]'` brings it")


def _later(word: SpokenWord, milliseconds: int, characters: int) -> SpokenWord:
    return SpokenWord(word.start_ms + milliseconds, word.end_ms + milliseconds, word.chars + characters)


class EspeakVoice:
    """A voice for those who play the caller."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def samples(self, text: str, voice: str = "en-us", rate_wpm: int = 160) -> Samples:
        """The text as int16 at 8 kHz. `voice` is one of espeak-ng's (``en-us``, ``en-us+f3``, ``en-gb``, ``hi``).

        Raises BadInput for a text with nothing to say or a rate outside 80 to 450 words a minute.
        """
        _need_library()
        if not any(character.isalnum() for character in text):
            raise BadInput("there is nothing to say in this text")
        if not 80 <= rate_wpm <= 450:
            raise BadInput("a speaking rate is 80 to 450 words a minute")
        utterance = Utterance(text, voices.voice_for(voice, voice), SAMPLE_RATE, rate_wpm, 50, 50)
        async with aclosing(self._worker.stream(utterance, Piece, deadline=_DEADLINE)) as pieces:
            return np.frombuffer(b"".join([piece.pcm async for piece in pieces]), np.dtype("<i2"))
