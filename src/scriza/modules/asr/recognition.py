"""The engine as one request sees it: in its turn, in time, with the request's language and phrases, and counted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from scriza.audio.mulaw import Samples
from scriza.kernel.clock import WallClock
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, UpstreamFailed
from scriza.kernel.principal import current
from scriza.modules.asr.engine import Engine, Purpose
from scriza.modules.asr.places import Places, Share
from scriza.modules.asr.sound import spoken_part
from scriza.ports.asr import Transcript
from scriza.ports.events import Teller
from scriza.ports.usage import AsrUsed, usage_event

NOTHING = Transcript("", 0.0, [])

_SHORTEST_FOR_LANGUAGE_S = 1.0
"""A "yes" sounds alike in many languages."""
_DEADLINES_S: dict[Purpose, float] = {"partial": 10.0, "final": 20.0, "recording": 60.0}
"""Seconds for a piece of audio, the wait for a place included."""


class Asked(NamedTuple):
    """What is the same for all audio of one request; `call_id` may be empty."""

    call_id: str
    sample_rate: int
    language: str
    """Empty has it found out from what is said."""
    phrases: Sequence[str]
    prompt: str = ""


class Recognition:
    """One request's. Made where the request's context is in force."""

    def __init__(self, engine: Engine, places: Places, teller: Teller, clock: WallClock, asked: Asked) -> None:
        self._engine, self._places, self._teller, self._clock, self._asked = engine, places, teller, clock, asked
        self._context = current()
        self._pieces = 0
        self._share = Share()
        self._detected = ""
        """The caller's language, once it is clear."""

    @property
    def partials(self) -> bool:
        """Whether partials are worth their work."""
        return self._engine.partials

    async def prepare(self) -> None:
        """Have the engine ready for these phrases. Raises as `Engine.recognise`."""
        async with _deadline("final"), self._places.one():
            await self._engine.prepare(self._asked.language, self._asked.phrases)

    async def words(self, samples: Samples, purpose: Purpose) -> Transcript:
        """Words of at most 30 s of audio. Raises as `Engine.recognise`, Unavailable when too many are waiting.

        What was recognised is told as used, also when whoever asked goes away meanwhile: the work was ordered.
        """
        start, end = spoken_part(samples, self._asked.sample_rate)
        if not end:
            return NOTHING
        async with _deadline(purpose), self._places.one():
            self._tell_used(len(samples) * 1000 // self._asked.sample_rate)
            return await self._recognised(samples, start, end, purpose)

    async def partial(self, take: Callable[[], Samples]) -> Transcript | None:
        """Words of what `take` gives when there is a place left over; none when others needed the place meanwhile.

        Raises as `Engine.recognise`.
        """

        async def work() -> Transcript:
            samples = take()
            start, end = spoken_part(samples, self._asked.sample_rate)
            if not end:
                return NOTHING
            async with _deadline("partial"):
                return await self._recognised(samples, start, end, "partial")

        return await self._places.left_over(self._share, work)

    async def _recognised(self, samples: Samples, start: int, end: int, purpose: Purpose) -> Transcript:
        asked, heard_from = self._asked, samples[start:end]
        try:
            heard = await self._engine.recognise(
                heard_from,
                asked.sample_rate,
                language=await self._language(heard_from),
                phrases=asked.phrases,
                prompt=asked.prompt,
                purpose=purpose,
            )
        except ScrizaError:
            raise
        except Exception as error:  # its text may hold what was said
            raise UpstreamFailed(f"{self._engine.name} failed: {type(error).__name__}") from error
        return later(_within(heard, len(heard_from) / asked.sample_rate), start / asked.sample_rate)

    async def _language(self, samples: Samples) -> str:
        """What was asked for, else what the caller was found to speak; found out until it is clear, then kept."""
        if self._asked.language or self._detected:
            return self._asked.language or self._detected
        if len(samples) >= _SHORTEST_FOR_LANGUAGE_S * self._asked.sample_rate:
            self._detected = await self._engine.language_of(samples, self._asked.sample_rate)
        return self._detected

    def _tell_used(self, audio_ms: int) -> None:
        self._pieces += 1
        used = AsrUsed(self._asked.call_id, self._engine.name, audio_ms)
        self._teller.tell(usage_event(used, self._context, self._clock(), part=str(self._pieces)))


def later(heard: Transcript, seconds: float) -> Transcript:
    """The same words, so much later."""
    words = [
        msgspec.structs.replace(word, start=round(word.start + seconds, 3), end=round(word.end + seconds, 3))
        for word in heard.words
    ]
    return Transcript(heard.text, heard.confidence, words)


def _within(heard: Transcript, seconds: float) -> Transcript:
    """The same words, none of them before the audio or behind it: engines pad what they listen to."""

    def inside(time: float) -> float:
        return round(min(max(time, 0.0), seconds), 3)

    words = [msgspec.structs.replace(word, start=inside(word.start), end=inside(word.end)) for word in heard.words]
    return Transcript(heard.text, heard.confidence, words)


def joined(pieces: Sequence[Transcript]) -> Transcript:
    """Pieces that follow each other as one, as confident as the least certain of those in which words are."""
    spoken = [piece for piece in pieces if piece.text]
    if not spoken:
        return NOTHING
    return Transcript(
        " ".join(piece.text for piece in spoken),
        min(piece.confidence for piece in spoken),
        [word for piece in spoken for word in piece.words],
    )


@asynccontextmanager
async def _deadline(purpose: Purpose) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_DEADLINES_S[purpose]):
            yield
    except TimeoutError:
        raise DeadlineExceeded("the recogniser took too long") from None
