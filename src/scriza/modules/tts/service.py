"""Speech out: finds a clip in the cache, or has it made once, by the first engine that can."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import timedelta
from typing import NamedTuple

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, NotFound, ScrizaError, TooLarge, Unavailable, UpstreamFailed
from scriza.kernel.principal import current
from scriza.modules.tts.cache import ClipCache, clip_key
from scriza.modules.tts.clip import FORMS, Clip, Form, Made, cut, joined
from scriza.modules.tts.engine import Engine
from scriza.modules.tts.flight import Flight, Flights
from scriza.modules.tts.text import speakable
from scriza.ports.events import Teller
from scriza.ports.objects import Objects
from scriza.ports.tts import Speak, Spoken, SpokenAudio, SpokenDone, SpokenWords
from scriza.ports.usage import TtsUsed, usage_event

_log = structlog.get_logger()

_URL_OPENS = timedelta(hours=1)
_REST_S = 15.0
"""Seconds for which an engine that has just failed is left alone while another one can speak."""


class _Whole(NamedTuple):
    """The clip is complete. `hit` says that it was not made for this request."""

    key: str
    clip: Clip
    hit: bool


class TtsService:
    """Implements `ports.tts.Tts` by `engines`, in the order of preference."""

    def __init__(
        self, engines: Sequence[Engine], objects: Objects, teller: Teller, *, clock: WallClock = utc_now
    ) -> None:
        if not engines:
            raise ValueError("speech needs an engine")
        self._engines = engines
        self._objects = objects
        self._cache = ClipCache(objects)
        self._flights = Flights()
        self._teller = teller
        self._clock = clock
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="tts-encode")
        self._rests_until: dict[str, float] = {}

    async def warm_up(self) -> None:
        """Make the first clip as quick as the next. An engine that cannot work is logged; the others speak."""
        await asyncio.gather(*(self._warm_up(engine) for engine in self._engines))

    async def close(self) -> None:
        """Give up what is being made, and tell that it was used."""
        await self._flights.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def speak(self, request: Speak) -> Spoken:
        """The whole clip, in any format."""
        said = speakable(request.text)
        async with aclosing(self._heard(request, said.text, FORMS[request.format])) as parts:
            async for part in parts:
                if isinstance(part, _Whole):
                    return await self._delivered(request, part)
        raise AssertionError("a clip ends with the whole of it")

    async def stream_speak(self, request: Speak) -> AsyncIterator[SpokenAudio | SpokenWords | SpokenDone]:
        """The clip for the phone line as it is made."""
        said = speakable(request.text)
        streamed = False
        async with aclosing(self._heard(request, said.text, FORMS["mulaw"])) as parts:
            async for part in parts:
                if isinstance(part, Made):
                    streamed, pieces = True, iter((part,))
                else:
                    pieces = iter(()) if streamed else cut(part.clip)
                for piece in pieces:
                    if piece.words:
                        yield SpokenWords([said.place(word) for word in piece.words])
                    if piece.audio:
                        yield SpokenAudio(piece.audio)
                if isinstance(part, _Whole):
                    yield SpokenDone(part.clip.duration, len(request.text), part.hit)

    async def _heard(self, request: Speak, text: str, form: Form) -> AsyncGenerator[Made | _Whole, None]:
        """The pieces of a clip that is being made, then the whole; of a cached one the whole alone."""
        failure: ScrizaError = Unavailable("no engine of speech can work now")
        for engine, asked in self._attempts(msgspec.structs.replace(request, text=text)):
            key = clip_key(form, current().principal.workspace, engine.name, engine.sound(asked), text)
            used = TtsUsed(request.call_id, engine.name, asked.voice_id, len(request.text), cached=True)
            if clip := await self._cache.find(key):
                self._tell(used, key)
                yield _Whole(key, clip, hit=True)
                return
            if self._rests(engine):
                continue
            begun = False
            with self._flights.joined(key, form, self._making(engine, asked, form, key)) as (flight, own):
                counts = True
                try:
                    async with aclosing(flight.listen()) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield piece
                except ScrizaError as error:
                    _log.warning("tts.engine_failed", engine=engine.name, error=error.slug, detail=error.detail)
                    failure = error
                    counts = begun
                else:
                    assert flight.clip is not None
                    yield _Whole(key, flight.clip, hit=not own)
                    return
                finally:
                    # Also when whoever asked went away: the engine's work was ordered.
                    if counts:
                        self._tell(msgspec.structs.replace(used, cached=not own), key)
            if begun:
                break
            if not isinstance(failure, BadInput | NotFound | TooLarge):
                self._rests_until[engine.name] = asyncio.get_running_loop().time() + _REST_S
        if isinstance(failure, BadInput | NotFound | TooLarge | Unavailable):
            raise failure
        raise UpstreamFailed(f"the text could not be spoken: {failure.detail}", retry_after=failure.retry_after)

    def _attempts(self, request: Speak) -> Iterator[tuple[Engine, Speak]]:
        yield self._engines[0], request
        # A voice is the first engine's own; another one takes what fits tone and locale.
        for engine in self._engines[1:]:
            yield engine, msgspec.structs.replace(request, voice_id="")

    def _rests(self, engine: Engine) -> bool:
        now = asyncio.get_running_loop().time()
        return engine is not self._engines[-1] and self._rests_until.get(engine.name, 0.0) > now

    def _making(
        self, engine: Engine, asked: Speak, form: Form, key: str
    ) -> Callable[[Flight], Coroutine[object, object, None]]:
        async def finish(pieces: list[Made]) -> Clip:
            if form.format == "mulaw":
                clip = joined(form, pieces)
            else:
                clip = await asyncio.get_running_loop().run_in_executor(self._threads, joined, form, pieces)
            self._cache.remember(key, clip)
            return clip

        async def fly(flight: Flight) -> None:
            clip = await flight.make(engine.synthesize(asked, form.sample_rate), finish)
            if clip is not None:
                await self._cache.keep(key, clip, form.content_type)

        return fly

    def _tell(self, used: TtsUsed, clip: str) -> None:
        """A request may have several clips: another engine's, where one broke down."""
        self._teller.tell(usage_event(used, current(), self._clock(), part=clip))

    async def _delivered(self, request: Speak, whole: _Whole) -> Spoken:
        clip = whole.clip
        duration = round(clip.duration, 3)
        if request.delivery == "inline":
            return Spoken(duration, whole.hit, audio_base64=clip.audio)
        if not await self._cache.ensure_kept(whole.key, clip, FORMS[request.format].content_type):
            raise Unavailable("the clip cannot be stored, so there is no URL of it; `delivery: inline` has it")
        return Spoken(duration, whole.hit, url=await self._objects.signed_url(whole.key, _URL_OPENS))

    async def _warm_up(self, engine: Engine) -> None:
        try:
            await engine.warm_up()
        except ScrizaError as error:
            _log.warning("tts.engine_not_ready", engine=engine.name, error=error.slug, detail=error.detail)
