"""One live recognition: blocks of a caller's audio in, partials and finals out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import ScrizaError
from scriza.modules.asr.cutting import LONGEST_S, cut
from scriza.modules.asr.recognition import Recognition, joined, later
from scriza.modules.asr.sound import (
    LONGEST_RECORDING_S,
    check_length,
    decoded,
    refuse_other_files,
    sample_size,
    spoken_part,
)
from scriza.modules.asr.stable_prefix import StablePrefix
from scriza.ports.asr import Audio, Final, Finalize, HeardWord, Partial, Start, Stop, Transcript

Block = Audio | Finalize | Stop

_LONGEST_BLOCK_S = 60
_PARTIAL_STEP_S = 0.5
"""So much new audio makes another partial worth its work."""
_REST = 0.5
"""A call rests from partials so many times as long as the last one took: they take two thirds of a place at most, and
all calls together what `Places` leaves over. None is made of more than `LONGEST_S`."""


class Live:
    """Keeps the audio since the last final. What gets too long for one recognition is recognised on the way."""

    def __init__(self, opening: Start, recognition: Recognition) -> None:
        self._encoding, self._rate = opening.encoding, opening.sample_rate
        self._bytes_per_s = sample_size(opening.encoding) * opening.sample_rate
        self._recognition = recognition
        self._audio = bytearray()
        """Not yet recognised."""
        self._audio_start_s = 0.0
        self._start_s = 0.0
        """Where the last final ended."""
        self._settled: list[Transcript] = []
        """Recognised since the last final, times since `start`."""
        self._prefix = StablePrefix()
        self._tried_s = 0.0
        """Seconds of `_audio` up to where somebody spoke, when the latest partial was made."""
        self._looked_s = 0.0
        """Seconds of `_audio` that were there then."""
        self._rest_until = 0.0

    async def run(self, blocks: AsyncIterator[Block]) -> AsyncGenerator[Partial | Final, None]:
        """Partials as they come, and a final for every `Finalize`, until `Stop` or the end of `blocks`."""
        await self._recognition.prepare()
        reading: asyncio.Task[Block | None] | None = None
        guessing: asyncio.Task[Partial | None] | None = None
        try:
            while True:
                if guessing is None and self._partial_is_due():
                    guessing = asyncio.create_task(self._guess(), name="asr partial")
                reading = reading or asyncio.create_task(_next(blocks), name="asr blocks")
                await asyncio.wait({reading, guessing or reading}, return_when=asyncio.FIRST_COMPLETED)
                if guessing is not None and guessing.done():
                    partial, guessing = guessing.result(), None
                    if partial is not None:
                        yield partial
                if not reading.done():
                    continue
                block, reading = reading.result(), None
                match block:
                    case Audio(payload):
                        self._keep(payload)
                        while self._seconds > LONGEST_S:
                            await _drop(guessing)
                            guessing = None
                            await self._settle()
                    case Finalize():
                        await _drop(guessing)
                        guessing = None
                        yield await self._final()
                    case Stop() | None:
                        return
        finally:
            await _drop(guessing)
            await _drop(reading)

    @property
    def _seconds(self) -> float:
        return len(self._audio) / self._bytes_per_s

    @property
    def _end_s(self) -> float:
        return self._audio_start_s + self._seconds

    def _keep(self, payload: bytes) -> None:
        check_length(len(payload) / self._bytes_per_s, _LONGEST_BLOCK_S)
        if not self._end_s:
            refuse_other_files(payload)
        self._audio += payload
        check_length(self._end_s - self._start_s, LONGEST_RECORDING_S)

    def _samples(self) -> Samples:
        size = sample_size(self._encoding)
        return decoded(bytes(self._audio[: len(self._audio) // size * size]), self._encoding)

    def _partial_is_due(self) -> bool:
        return (
            self._recognition.partials
            and self._seconds - self._looked_s >= _PARTIAL_STEP_S
            and asyncio.get_running_loop().time() >= self._rest_until
            and self._more_was_said()
        )

    def _more_was_said(self) -> bool:
        self._looked_s = self._seconds
        return spoken_part(self._samples(), self._rate)[1] / self._rate - self._tried_s >= _PARTIAL_STEP_S

    async def _guess(self) -> Partial | None:
        """A partial when there is something new to tell, once there is a place for it."""
        loop = asyncio.get_running_loop()
        told, began, end_s = self._prefix.words, loop.time(), 0.0

        def take() -> Samples:
            nonlocal began, end_s
            samples = self._samples()
            began, end_s = loop.time(), self._end_s
            self._looked_s, self._tried_s = self._seconds, spoken_part(samples, self._rate)[1] / self._rate
            return samples

        try:
            heard = await self._recognition.partial(take)
        except ScrizaError:
            return None  # the final will tell
        finally:
            self._rest_until = loop.time() + _REST * (loop.time() - began)
        if heard is None:
            return None
        stable = self._prefix.push(later(heard, self._audio_start_s).words)
        return self._partial(heard.text, stable, end_s) if len(stable) > len(told) else None

    def _partial(self, text: str, stable: list[HeardWord], end_s: float) -> Partial:
        confidence = round(sum(word.confidence for word in stable) / len(stable), 3)
        guessed = Transcript(_beginning(text, stable), confidence, stable)
        heard = joined([*self._settled, guessed])
        return Partial(heard.text, heard.confidence, heard.words, round(self._start_s, 3), round(end_s, 3))

    async def _final(self) -> Final:
        await self._recognise(self._samples())
        heard, start_s = joined(self._settled), self._start_s
        self._settled, self._start_s = [], self._end_s
        return Final(heard.text, heard.confidence, heard.words, round(start_s, 3), round(self._start_s, 3))

    async def _settle(self) -> None:
        """Recognise the first piece, cut where nobody speaks."""
        samples = self._samples()
        await self._recognise(samples[: cut(samples, self._rate)])

    async def _recognise(self, samples: Samples) -> None:
        heard = await self._recognition.words(samples, "final")
        self._settled.append(later(heard, self._audio_start_s))
        del self._audio[: len(samples) * sample_size(self._encoding)]
        self._audio_start_s += len(samples) / self._rate
        self._prefix, self._tried_s, self._looked_s = StablePrefix(), 0.0, 0.0


def _beginning(text: str, words: list[HeardWord]) -> str:
    """The text up to the last of its first `words`: not all languages are written with spaces between."""
    end = 0
    for word in words:
        end = max(end, text.find(word.word, end) + len(word.word))
    return text[:end]


async def _next(blocks: AsyncIterator[Block]) -> Block | None:
    return await anext(blocks, None)


async def _drop(task: "asyncio.Task[Partial | None] | asyncio.Task[Block | None] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
