"""The engine of speech: chooses the voice, orders the clip, and times its words."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec
import numpy as np
import structlog

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import RateLimited, ScrizaError, UpstreamFailed
from scriza.ports.tts import Speak, SpokenWord
from scriza_adapters.elevenlabs.casting import Casting
from scriza_adapters.elevenlabs.client import ElevenLabs, Way
from scriza_adapters.elevenlabs.decoding import Decoder
from scriza_adapters.elevenlabs.errors import WayClosed
from scriza_adapters.elevenlabs.order import Dictionary, Order
from scriza_adapters.provider_failures import provider_failed
from scriza_adapters.word_times import AlignedWords, GuessedWords

_log = structlog.get_logger()

DEFAULT_MODEL = "eleven_flash_v2_5"
_TRIES = 2
_PAUSE_S = 0.15
_LONGEST_RETRY_S = 1
"""A vendor that asks for more patience than that is not asked again: a caller is waiting."""
_MISSING_MS = 150
"""Audio that may be missing where the last character is said to end."""
_PROSODY_CHARS = 300
"""How much of the text around a clip the vendor is told."""

_NO_AUDIO = np.zeros(0, np.int16)

Piece = tuple[Samples, list[SpokenWord]]


class ElevenLabsEngine:
    """Speaks by `vendor`, which several engines may share: another `casting` or `model` is another engine.

    Where the server does not know the times of characters, the words' times are guessed. `prosody` tells the vendor
    what stands before and after a clip; a clip then sounds, and is cached, by its neighbours too.
    """

    provider = "elevenlabs"

    def __init__(
        self,
        vendor: ElevenLabs,
        casting: Casting | None = None,
        *,
        model: str = "",
        dictionaries: Sequence[Dictionary] = (),
        prosody: bool = True,
        name: str = "elevenlabs",
    ) -> None:
        self.name = name
        self._vendor = vendor
        self._casting = casting or Casting()
        self._model = model or DEFAULT_MODEL
        self._dictionaries = tuple(dictionaries)
        self._prosody = prosody and vendor.way != "socket"  # a context is not told its neighbours

    async def warm_up(self) -> None:
        """Build the client and open connections. Raises Unavailable when the key is not accepted."""
        await self._vendor.warm_up()
        self.prepare(Speak("ready"))

    def sound(self, request: Speak) -> str:
        """Everything that decides how a text sounds, besides the text."""
        return self._order(request).sound()

    def prepare(self, request: Speak) -> None:
        """A clip like this will be asked for soon."""
        self._vendor.prepare(self._order(request))

    async def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
        """The clip, piece by piece, at 8000 or 22050 Hz.

        Raises Unavailable when the key is not accepted or has no credit left, NotFound for a voice that does not
        exist, RateLimited, BadInput, UpstreamFailed, DeadlineExceeded. Before the first audio it is tried once more
        what may pass, over HTTP if it was by a socket. Closing the iterator makes the vendor stop.
        """
        order = self._order(request)
        way: Way = self._vendor.way
        if way == "socket" and sample_rate != mulaw.SAMPLE_RATE:
            way = "timed"  # a file is in no hurry
        for left in reversed(range(_TRIES)):
            begun = False
            try:
                async with aclosing(self._pieces(order, sample_rate, way)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ScrizaError as error:
                if begun or not left or not _may_pass(error):
                    provider_failed("elevenlabs", error)
                    raise
                _log.info("elevenlabs.retried", way=way, error=error.slug, detail=error.detail)
                if isinstance(error, WayClosed) and way == "timed":
                    way = "plain"
                elif way == "socket":
                    way = "timed"
                else:
                    await asyncio.sleep(error.retry_after or _PAUSE_S)
            else:
                if way == "plain" and self._vendor.way == "timed":
                    self._vendor.way = "plain"  # it has this way and not the other: nobody need try that again
                return

    async def _pieces(self, order: Order, sample_rate: int, way: Way) -> AsyncGenerator[Piece, None]:
        aligned, guessed, decoder = AlignedWords(order.text), GuessedWords(order.text), Decoder(sample_rate)
        async with aclosing(self._vendor.chunks(order, sample_rate, way)) as chunks:
            async for chunk in chunks:
                samples = decoder.push(chunk.audio)
                if way == "plain":
                    words = guessed.until(decoder.milliseconds)
                else:
                    words = aligned.push(chunk.characters, chunk.starts, chunk.ends)
                if len(samples) or words:
                    yield samples, words
        if not decoder.samples:
            raise UpstreamFailed("ElevenLabs sent no audio")
        if not aligned.begun:
            yield _NO_AUDIO, guessed.rest(decoder.milliseconds)
        elif aligned.complete() and aligned.end_ms <= decoder.milliseconds + _MISSING_MS:
            yield _NO_AUDIO, aligned.rest(decoder.milliseconds)
        else:
            raise UpstreamFailed("ElevenLabs broke off its answer")

    def _order(self, request: Speak) -> Order:
        # Other models find the language out by themselves, and refuse to be told.
        tongue = request.locale.replace("_", "-").partition("-")[0].lower() if self._model.endswith("_v2_5") else ""
        order = Order(
            text=request.text,
            voice_id=self._casting.voice(request),
            model=self._model,
            language=tongue,
            manner=self._casting.manner(request),
            dictionaries=self._dictionaries,
        )
        if not self._prosody:
            return order
        before, after = request.previous_text[-_PROSODY_CHARS:], request.next_text[:_PROSODY_CHARS]
        return msgspec.structs.replace(order, previous_text=before, next_text=after)


def _may_pass(error: ScrizaError) -> bool:
    return isinstance(error, RateLimited | UpstreamFailed) and (error.retry_after or 0) <= _LONGEST_RETRY_S
