"""Clips that have been made: the hot ones in memory, all of them as objects under ``tts-cache/``.

Those of fixed lines are kept for good, under ``voice-assets/`` by the same names; nothing there is old or pruned.

An object holds the audio as it is sent; another beside it, the card, the words' times and the audio's digest. The
card is written last, so that a clip without a card is not there yet.
"""

import asyncio
import hashlib
import math
from collections import OrderedDict
from datetime import timedelta
from typing import NamedTuple

import msgspec
import structlog

from scriza.kernel.breaker import Breaker, Tolerance
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import NotFound, ScrizaError
from scriza.modules.tts.clip import Clip, Form
from scriza.ports.objects import Objects
from scriza.ports.tts import SpokenWord

_log = structlog.get_logger()

CLIPS = "tts-cache"
"""The folder of clips that may be forgotten."""
ASSETS = "voice-assets"
"""The folder of those that are kept for good."""

_VERSION = 2
"""Counts up when clips of an older one must not be served."""
_LOOK_UP_S = 0.25
"""Making a clip anew takes about as long; a slower store is not waited for."""
_PATIENCE = Tolerance(failures=2, rest_s=5.0, longest_rest_s=30.0, trial_s=1.0)
"""A store that failed or was slow twice in a row is not asked for a while: no clause waits for it again and again."""
_KEEP_S = 10.0
_WORD_BYTES = 120
"""What a word's times take in memory, about."""


class _Card(msgspec.Struct):
    digest: str
    made_at: float
    """Seconds of Unix time."""
    duration: float
    words: list[SpokenWord]


def clip_key(form: Form, *parts: str) -> str:
    """The key of a clip's audio: content-addressed by all that decides how it sounds."""
    digest = hashlib.sha256(msgspec.json.encode([_VERSION, form, *parts])).hexdigest()
    return f"{CLIPS}/{digest[:2]}/{digest[2:]}.{form.extension}"


def asset_key(key: str) -> str:
    """The key under which a clip is kept for good."""
    return ASSETS + key.removeprefix(CLIPS)


class _Hot(NamedTuple):
    clip: Clip
    made_at: float


class ClipCache:
    """Keeps clips. `memory` bounds the bytes of the hot ones; a clip older than `oldest` is not found any more."""

    def __init__(
        self,
        objects: Objects,
        memory: int = 32 * 1024 * 1024,
        *,
        oldest: timedelta | None = None,
        clock: WallClock = utc_now,
    ) -> None:
        self._objects = objects
        self._room = self._memory = memory
        self._oldest_s = oldest.total_seconds() if oldest else float("inf")
        self._clock = clock
        self._hot: OrderedDict[str, _Hot] = OrderedDict()
        self._store = Breaker(_PATIENCE)

    @property
    def hot(self) -> tuple[int, int]:
        """How many clips are in memory, and how many bytes they take."""
        return len(self._hot), self._memory - self._room

    async def find(self, key: str, alone: str = "") -> Clip | None:
        """The clip, or none: also when it cannot be read or is not what was kept.

        `alone` is the key of the same text without its neighbours, whose clip is taken too if it is kept for good.
        """
        if (hot := self._hot.get(key)) is not None:
            if not self._is_old(hot.made_at):
                self._hot.move_to_end(key)
                return hot.clip
            self._forget(key)
        if (found := await self._look_up(key, alone)) is None or self._is_old(found.made_at):
            return None
        self.remember(key, found.clip, found.made_at)
        return found.clip

    async def kept_for_good(self, key: str) -> float | None:
        """The seconds of a clip that is kept for good; None when it is not. Raises what the store raises."""
        card = await self._card(asset_key(key))
        return None if card is None else card.duration

    async def _look_up(self, key: str, alone: str) -> _Hot | None:
        time = asyncio.get_running_loop().time
        if not self._store.allows(time()):
            return None
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                assets = [asset_key(each) for each in dict.fromkeys((key, alone or key))]
                *kept, cached = await asyncio.gather(*map(self._read, [*assets, key]))
        except (ScrizaError, TimeoutError) as error:
            self._store.failed(time())
            _log.warning("tts.cache_unreadable", key=key, error=type(error).__name__)
            return None
        except asyncio.CancelledError:
            self._store.gave_up()
            raise
        self._store.succeeded()
        asset = next((found for found in kept if found is not None), None)
        return cached if asset is None else asset._replace(made_at=math.inf)

    async def _card(self, key: str) -> _Card | None:
        try:
            return msgspec.json.decode((await self._objects.get(_card_key(key))).body, type=_Card)
        except NotFound:
            return None
        except msgspec.MsgspecError:
            _log.warning("tts.cache_corrupted", key=key)
            return None

    async def _read(self, key: str) -> _Hot | None:
        """The clip under this key, if it is whole."""
        if (card := await self._card(key)) is None:
            return None
        try:
            audio = (await self._objects.get(key)).body
        except NotFound:
            return None
        if hashlib.sha256(audio).hexdigest() != card.digest:
            _log.warning("tts.cache_corrupted", key=key)
            return None
        return _Hot(Clip(audio, card.words, card.duration), card.made_at)

    def remember(self, key: str, clip: Clip, made_at: float | None = None) -> None:
        """Keep the clip in memory, in the place of those that were not asked for lately."""
        size = _size(clip)
        if size > self._memory // 4 or key in self._hot:
            return
        self._hot[key] = _Hot(clip, self._now if made_at is None else made_at)
        self._room -= size
        while self._room < 0:
            self._forget(next(iter(self._hot)))

    async def keep(self, key: str, clip: Clip, content_type: str) -> bool:
        """Keep the clip as objects. False when the store failed, which costs no more than making it again."""
        card = _Card(hashlib.sha256(clip.audio).hexdigest(), self._now, clip.duration, list(clip.words))
        try:
            async with asyncio.timeout(_KEEP_S):
                await self._objects.put(key, clip.audio, content_type)
                await self._objects.put(_card_key(key), msgspec.json.encode(card), "application/json")
        except (ScrizaError, TimeoutError) as error:
            _log.warning("tts.cache_unwritable", key=key, error=type(error).__name__)
            return False
        return True

    async def erase(self, key: str) -> None:
        """Forget a clip, in the store too; the card goes first, so that no clip is found by half.

        Raises what the store raises.
        """
        if key in self._hot:
            self._forget(key)
        await self._objects.delete(_card_key(key))
        await self._objects.delete(key)

    def clear(self) -> None:
        """Keep no clip in memory."""
        self._hot.clear()
        self._room = self._memory

    async def ensure_kept(self, key: str, clip: Clip, content_type: str) -> bool:
        """Keep a clip that may be only in memory, or has been removed from the store. False when the store failed."""
        try:
            async with asyncio.timeout(_KEEP_S):
                if (found := await self._read(key)) is not None and found.clip.audio == clip.audio:
                    return True
        except (ScrizaError, TimeoutError):
            pass
        return await self.keep(key, clip, content_type)

    @property
    def _now(self) -> float:
        return self._clock().timestamp()

    def _is_old(self, made_at: float) -> bool:
        return self._now - made_at > self._oldest_s

    def _forget(self, key: str) -> None:
        self._room += _size(self._hot.pop(key).clip)


def _card_key(key: str) -> str:
    return key.rpartition(".")[0] + ".json"


def _size(clip: Clip) -> int:
    return len(clip.audio) + _WORD_BYTES * len(clip.words)
