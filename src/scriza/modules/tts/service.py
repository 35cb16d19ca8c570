"""Speech out: finds a clip in the cache, or has it made once, by the first engine that can."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import NamedTuple

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import (
    BadInput,
    DeadlineExceeded,
    Forbidden,
    NotFound,
    ScrizaError,
    TooLarge,
    Unavailable,
    UpstreamFailed,
)
from scriza.kernel.principal import current
from scriza.kernel.scopes import ALL
from scriza.modules.tts.cache import ClipCache, asset_key, clip_key
from scriza.modules.tts.call_clips import CallClips
from scriza.modules.tts.clip import FORMS, Clip, Form, Made, cut, joined
from scriza.modules.tts.engine import Engine
from scriza.modules.tts.flight import FIRST_PIECE_S, Flight, Flights
from scriza.modules.tts.handing import Handing
from scriza.modules.tts.pronunciation import Pronunciation
from scriza.modules.tts.roster import Roster
from scriza.modules.tts.talk import Talk
from scriza.modules.tts.text import Speakable, speakable
from scriza.ports.events import Teller
from scriza.ports.objects import Objects
from scriza.ports.tts import (
    FixedTexts,
    KeptClip,
    KeptClips,
    Speak,
    SpeechCache,
    Spoken,
    SpokenAudio,
    SpokenDone,
    SpokenWords,
    StartTalk,
    TalkAudio,
    TalkCancel,
    TalkDone,
    TalkFailed,
    TalkFlush,
    TalkStop,
    TalkText,
    TalkWords,
)
from scriza.ports.usage import TtsUsed, usage_event

_log = structlog.get_logger()

_LOOK_UPS_AT_ONCE = 8
_NOTE_S = 5.0
_URL_OPENS = timedelta(hours=1)
_BUDGET_S = 2.5
"""Seconds to the first audio, all engines together but the last, which is asked then."""


class _Whole(NamedTuple):
    """The clip is complete. `hit` says that it was not made for this request.

    `clip` is none where several engines have said it: such a clip is kept nowhere.
    """

    duration: float
    hit: bool
    key: str = ""
    clip: Clip | None = None


class TtsService:
    """Implements `ports.tts.Tts` by `engines`, in the order of preference.

    A clip older than `oldest_clip` is made anew. `prices` are in micro-USD for 1,000 characters, by the engines'
    providers. `call_clips` learns which clips were made in which calls.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        objects: Objects,
        teller: Teller,
        *,
        pronunciation: Pronunciation | None = None,
        oldest_clip: timedelta | None = None,
        prices: Mapping[str, int] | None = None,
        call_clips: CallClips | None = None,
        clock: WallClock = utc_now,
    ) -> None:
        self._roster = Roster(engines)
        self._objects = objects
        self._cache = ClipCache(objects, oldest=oldest_clip, clock=clock)
        self._call_clips = call_clips
        self._flights = Flights()
        self._teller = teller
        self._pronunciation = pronunciation or Pronunciation()
        self._clock = clock
        self._prices = prices or {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="tts-encode")
        self._clips = self._clips_hit = self._characters_made = self._characters_saved = 0

    @property
    def cache(self) -> ClipCache:
        """The clips that have been made."""
        return self._cache

    async def warm_up(self) -> None:
        """Make the first clip as quick as the next. An engine that cannot work is logged; the others speak."""
        await asyncio.gather(*map(self._warm_up, self._roster.by_provider()))

    async def close(self) -> None:
        """Give up what is being made, and tell that it was used."""
        await self._flights.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._clips:
            told = await self.speech_cache()
            _log.info("tts.cache", clips=told.clips, hit_rate=told.hit_rate, characters_saved=told.characters_saved)

    async def speech_cache(self) -> SpeechCache:
        """What the cache was good for in this process."""
        hot, hot_bytes = self._cache.hot
        return SpeechCache(
            clips=self._clips,
            hits=self._clips_hit,
            hit_rate=round(self._clips_hit / self._clips, 4) if self._clips else 0.0,
            characters_made=self._characters_made,
            characters_saved=self._characters_saved,
            clips_in_memory=hot,
            bytes_in_memory=hot_bytes,
            engines=self._roster.states(),
        )

    async def speak(self, request: Speak) -> Spoken:
        """The whole clip, in any format."""
        if request.keep and ALL not in current().principal.scopes:
            raise Forbidden("only Scriza itself keeps clips for good")
        said = self._said(request)
        parts = self._heard(msgspec.structs.replace(request, text=said.text), FORMS[request.format], None)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, _Whole) and part.clip is not None:
                    return await self._delivered(request, part.key, part.clip, hit=part.hit)
        raise AssertionError("a clip ends with the whole of it")

    async def kept_clips(self, asked: FixedTexts) -> KeptClips:
        """Which fixed lines have been spoken."""
        at_once = asyncio.Semaphore(_LOOK_UPS_AT_ONCE)

        async def look(text: str) -> KeptClip:
            async with at_once:
                return await self._kept(asked, text)

        return KeptClips(await asyncio.gather(*map(look, asked.texts)))

    async def _kept(self, asked: FixedTexts, text: str) -> KeptClip:
        engine, form = self._roster.first, FORMS["mulaw"]
        request = Speak(text, asked.voice_id, asked.tone, asked.locale, "mulaw", pronunciation=asked.pronunciation)
        said = msgspec.structs.replace(request, text=self._said(request).text)
        duration = await self._cache.kept_for_good(self._key(engine, said, form))
        if duration is None:
            return KeptClip(cost_micro_usd=self._used(engine, said, cached=False).cost_micro_usd)
        return KeptClip(kept=True, bytes=round(duration * form.sample_rate), duration=round(duration, 3))

    async def stream_speak(self, request: Speak) -> AsyncIterator[SpokenAudio | SpokenWords | SpokenDone]:
        """The clip for the phone line as it is made. What breaks off is said to its end by the next engine."""
        said = self._said(request)
        handing = Handing(said.text)
        async with aclosing(
            self._heard(msgspec.structs.replace(request, text=said.text), FORMS["mulaw"], handing)
        ) as parts:
            async for part in parts:
                if isinstance(part, _Whole):
                    yield SpokenDone(part.duration, len(request.text), part.hit)
                    continue
                if part.words:
                    yield SpokenWords([said.place(word) for word in part.words])
                if part.audio:
                    yield SpokenAudio(part.audio)

    async def talk(
        self, opening: StartTalk, blocks: AsyncIterator[TalkText | TalkFlush | TalkCancel | TalkStop]
    ) -> AsyncIterator[TalkAudio | TalkWords | TalkDone | TalkFailed]:
        """Texts as they are written, spoken as they come."""
        request = Speak("-", opening.voice_id, opening.tone, opening.locale, "mulaw", call_id=opening.call_id)
        self.prepare(request)
        async with aclosing(Talk(request, self.stream_speak).run(blocks)) as items:
            async for item in items:
                yield item

    def prepare(self, request: Speak) -> None:
        """A text like this will be spoken soon; its voice may take a moment to be reached."""
        engine = self._roster.first
        if self._roster.rests(engine):
            return
        with suppress(BadInput):
            engine.prepare(self._roster.asked(engine, request))

    async def _heard(self, request: Speak, form: Form, handing: Handing | None) -> AsyncGenerator[Made | _Whole, None]:
        """The clip. With `handing` its pieces come as they are made and are handed on; else the whole of it alone.

        The engines are asked in their order until one has begun; when the last is due, a clip that says the same in
        another tone goes before it.
        """
        loop = asyncio.get_running_loop()
        failure: ScrizaError = Unavailable("no engine of speech can work now")
        due = loop.time() + _BUDGET_S
        down: set[str] = set()
        for engine in self._roster.engines[: 1 if request.keep else None]:
            asked = self._roster.asked(engine, request)
            last = self._roster.is_last(engine)
            if last and engine is not self._roster.first and (spare := await self._spare(request, form)):
                for part in self._told(*spare, handing):
                    yield part
                return
            key = self._key(engine, asked, form)
            if clip := await self._cache.find(key, self._key(engine, _alone(asked), form)):
                self.prepare(request)
                self._tell(self._used(engine, asked, cached=True), key)
                for part in self._told(key, clip, handing):
                    yield part
                return
            patience = FIRST_PIECE_S if last or request.keep else due - loop.time()
            if patience <= 0 or engine.provider in down or not self._roster.allows(engine):
                continue
            begun = False
            with self._flights.joined(key, form, self._making(engine, asked, form, key, patience)) as (flight, own):
                counts = True
                try:
                    async with aclosing(flight.listen()) as pieces:
                        async for piece in pieces:
                            begun = True
                            if handing is not None:
                                yield handing.take(piece)
                except ScrizaError as error:
                    _log.info("tts.engine_failed", engine=engine.name, error=error.slug, detail=error.detail)
                    failure = error
                    counts = begun
                else:
                    assert flight.clip is not None
                    for part in self._completed(key, flight.clip, handing, hit=not own):
                        yield part
                    return
                finally:
                    # Also when whoever asked went away: the engine's work was ordered.
                    if counts:
                        self._tell(self._used(engine, asked, cached=not own), key)
            if isinstance(failure, Unavailable | DeadlineExceeded):
                down.add(engine.provider)
            if handing is None:
                continue
            handing.broken_off()
            if handing.begun:
                if not handing.rest:
                    yield _Whole(handing.seconds, hit=False)
                    return
                request = msgspec.structs.replace(request, text=handing.rest, previous_text=handing.said)
                due = loop.time() + _BUDGET_S
        if isinstance(failure, BadInput | NotFound | TooLarge | Unavailable):
            raise failure
        raise UpstreamFailed(f"the text could not be spoken: {failure.detail}", retry_after=failure.retry_after)

    def _said(self, request: Speak) -> Speakable:
        try:
            pronunciation = self._pronunciation.with_table(request.pronunciation)
        except ValueError as error:
            raise BadInput(str(error)) from None
        return speakable(request.text, pronunciation)

    def _told(self, key: str, clip: Clip, handing: Handing | None) -> Iterator[Made | _Whole]:
        """A clip that is there already."""
        if handing is not None:
            yield from (handing.take(piece) for piece in cut(clip))
        yield from self._completed(key, clip, handing, hit=True)

    def _completed(self, key: str, clip: Clip, handing: Handing | None, *, hit: bool) -> Iterator[Made | _Whole]:
        if handing is None:
            yield _Whole(clip.duration, hit, key, clip)
        else:
            yield handing.finished()
            yield _Whole(handing.seconds, hit)

    async def _spare(self, request: Speak, form: Form) -> tuple[str, Clip] | None:
        """A clip that was made of this text in another manner, and its key."""
        likely = {self._key(engine, asked, form): (engine, asked) for engine, asked in self._roster.likely(request)}
        found = await asyncio.gather(*map(self._cache.find, likely))
        for (key, (engine, asked)), clip in zip(likely.items(), found, strict=True):
            if clip is not None:
                self._tell(self._used(engine, asked, cached=True), key)
                return key, clip
        return None

    def _key(self, engine: Engine, asked: Speak, form: Form) -> str:
        return clip_key(form, current().principal.workspace, engine.name, engine.sound(asked), asked.text)

    def _making(
        self, engine: Engine, asked: Speak, form: Form, key: str, patience: float
    ) -> Callable[[Flight], Coroutine[object, object, None]]:
        workspace = current().principal.workspace

        async def finish(pieces: list[Made]) -> Clip:
            if form.format == "mulaw":
                clip = joined(form, pieces)
            else:
                clip = await asyncio.get_running_loop().run_in_executor(self._threads, joined, form, pieces)
            self._cache.remember(key, clip)
            return clip

        async def fly(flight: Flight) -> None:
            clip = None
            try:
                clip = await flight.make(engine.synthesize(asked, form.sample_rate), finish, patience)
            finally:
                if clip is None:
                    self._roster.failed(engine, flight.failure)
            if clip is not None:
                self._roster.succeeded(engine)
                if await self._can_be_found_again(workspace, asked.call_id, key):
                    await self._cache.keep(key, clip, form.content_type)

        return fly

    async def _can_be_found_again(self, workspace: str, call_id: str, key: str) -> bool:
        """Note in which call a clip is made. What could not be erased with its caller is not kept."""
        if self._call_clips is None or not call_id:
            return True
        try:
            async with asyncio.timeout(_NOTE_S):
                await self._call_clips.note(workspace, call_id, key)
        except (ScrizaError, TimeoutError) as error:
            _log.warning("tts.clip_not_kept", key=key, error=type(error).__name__)
            return False
        return True

    def _used(self, engine: Engine, asked: Speak, *, cached: bool) -> TtsUsed:
        characters, price = len(asked.text), 0 if cached else self._prices.get(engine.provider)
        cost = None if price is None else characters * price // 1000
        return TtsUsed(asked.call_id, engine.name, asked.voice_id, characters, cached=cached, cost_micro_usd=cost)

    def _tell(self, used: TtsUsed, clip: str) -> None:
        """A request may have several clips: another engine's, where one broke down."""
        self._clips += 1
        if used.cached:
            self._clips_hit += 1
            self._characters_saved += used.characters
        else:
            self._characters_made += used.characters
        self._teller.tell(usage_event(used, current(), self._clock(), part=clip))

    async def _delivered(self, request: Speak, key: str, clip: Clip, *, hit: bool) -> Spoken:
        duration = round(clip.duration, 3)
        content_type = FORMS[request.format].content_type
        if request.keep:
            key = asset_key(key)
            if not await self._cache.ensure_kept(key, clip, content_type):
                raise Unavailable("the clip cannot be stored, so it cannot be kept")
        if request.delivery == "inline":
            return Spoken(duration, hit, audio_base64=clip.audio)
        noted = await self._can_be_found_again(
            current().principal.workspace, "" if request.keep else request.call_id, key
        )
        if not noted or not await self._cache.ensure_kept(key, clip, content_type):
            raise Unavailable("the clip cannot be stored, so there is no URL of it; `delivery: inline` has it")
        return Spoken(duration, hit, url=await self._objects.signed_url(key, _URL_OPENS))

    async def _warm_up(self, engines: Sequence[Engine]) -> None:
        """Engines of one provider: what keeps the first from working is told once."""
        for engine in engines:
            try:
                await engine.warm_up()
            except ScrizaError as error:
                tell = _log.error if isinstance(error, Unavailable) else _log.warning
                tell("tts.engine_not_ready", engine=engine.name, error=error.slug, detail=error.detail)
                if isinstance(error, Unavailable):
                    self._roster.failed(engine, error)  # no caller waits for what is known not to work
                return


def _alone(request: Speak) -> Speak:
    """The same text without what is said before and after it, as a fixed line is spoken."""
    if not (request.previous_text or request.next_text):
        return request
    return msgspec.structs.replace(request, previous_text="", next_text="")
