"""ElevenLabs: speech streamed over HTTP, with the time of every character."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx
import msgspec
import numpy as np
import structlog

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import (
    BadInput,
    DeadlineExceeded,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
    UpstreamFailed,
)
from scriza.ports.tts import Speak, SpokenWord
from scriza_adapters.word_times import AlignedWords, GuessedWords

if TYPE_CHECKING:
    from elevenlabs.client import AsyncElevenLabs
    from elevenlabs.core.api_error import ApiError

_log = structlog.get_logger()

_HOST = "https://api.elevenlabs.io"
_VOICE_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_DEFAULT_VOICE = "EXAVITQu4vr4xnSDxMaL"
_DEFAULT_MODEL = "eleven_flash_v2_5"
_TRIES = 2
_PAUSE_S = 0.15
_LONGEST_RETRY_S = 1
"""A vendor that asks for more patience than that is not asked again: a caller is waiting."""
_CHUNK = 320
"""Bytes of audio that the SDK gathers before it hands them on: 40 ms of mu-law."""
_MISSING_MS = 150
"""Audio that may be missing where the last character is said to end."""

_NO_AUDIO = np.zeros(0, np.int16)

Piece = tuple[Samples, list[SpokenWord]]


class Manner(msgspec.Struct, frozen=True):
    """The vendor's settings of a voice."""

    stability: float = 0.5
    similarity: float = 0.75
    speed: float = 1.0


NEUTRAL = Manner()
TONES: dict[str, Manner] = {
    "friendly": Manner(stability=0.42, speed=1.02),
    "warm": Manner(stability=0.45, speed=0.97),
    "empathetic": Manner(stability=0.5, speed=0.94),
    "calm": Manner(stability=0.7, speed=0.93),
    "professional": Manner(stability=0.6),
    "serious": Manner(stability=0.72, speed=0.96),
    "confident": Manner(stability=0.55, speed=1.03),
    "energetic": Manner(stability=0.32, speed=1.08),
    "enthusiastic": Manner(stability=0.3, speed=1.08),
    "urgent": Manner(stability=0.45, speed=1.12),
}


class Patience(msgspec.Struct, frozen=True):
    """Seconds to the first audio of a try, and between two pieces of it."""

    first_s: float = 2.0
    next_s: float = 2.0


class ElevenLabsEngine:
    """Speaks by one client for the whole process, whose connections stay open for two minutes.

    `base_url` empty is ElevenLabs' own; `voice` is who speaks when a request names nobody. With `timestamps` off, or
    where the server does not know them, the words' times are guessed. The SDK is imported when it is first needed, in
    a thread; `warm_up` does that before a caller waits for it.
    """

    name = "elevenlabs"

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "",
        voice: str = "",
        model: str = "",
        timestamps: bool = True,
        patience: Patience | None = None,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._voice = voice or _DEFAULT_VOICE
        self._model = model or _DEFAULT_MODEL
        self._timestamps = timestamps
        self._patience = patience or Patience()
        self._http: httpx.AsyncClient | None = None
        self._client: AsyncElevenLabs | None = None
        self._building = asyncio.Lock()

    async def warm_up(self) -> None:
        """Import the SDK, build the client and open a connection, by asking which models there are."""
        client = await self._connected()
        with _told_as_ours():
            async with asyncio.timeout(2 * self._patience.first_s):
                await client.models.list(request_options={"max_retries": 0})

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
        self._http = self._client = None

    def sound(self, request: Speak) -> str:
        """Everything that decides how a text sounds, besides the text."""
        manner = TONES.get(request.tone.strip().lower(), NEUTRAL)
        return msgspec.json.encode(
            [request.voice_id or self._voice, self._model, self._language(request), manner]
        ).decode()

    async def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
        """The clip, piece by piece, at 8000 or 22050 Hz.

        Raises Unavailable when the key is not accepted or has no credit left, NotFound for a voice that does not
        exist, RateLimited, BadInput, UpstreamFailed, DeadlineExceeded. Closing the iterator closes the connection to
        the vendor, so that it stops.
        """
        client = await self._connected()
        for left in reversed(range(_TRIES)):
            begun = False
            try:
                async with aclosing(self._pieces(client, request, sample_rate)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ScrizaError as error:
                if begun or not left or not self._worth_another_try(error):
                    raise
                _log.info("elevenlabs.retried", error=error.slug, detail=error.detail)
                await asyncio.sleep(error.retry_after or _PAUSE_S)
            else:
                return

    def _worth_another_try(self, error: ScrizaError) -> bool:
        if isinstance(error, _NoTimestamps):
            self._timestamps = False
            return True
        return isinstance(error, RateLimited | UpstreamFailed) and (error.retry_after or 0) <= _LONGEST_RETRY_S

    async def _pieces(self, client: "AsyncElevenLabs", request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
        timed = self._timestamps
        aligned, guessed, decoder = AlignedWords(request.text), GuessedWords(request.text), _Decoder(sample_rate)
        async with aclosing(self._chunks(client, request, sample_rate, timed)) as chunks:
            async for chunk in chunks:
                samples = decoder.push(chunk.audio)
                if timed:
                    words = aligned.push(chunk.characters, chunk.starts, chunk.ends)
                else:
                    words = guessed.until(decoder.milliseconds)
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

    async def _chunks(
        self, client: "AsyncElevenLabs", request: Speak, sample_rate: int, timed: bool
    ) -> AsyncGenerator["_Chunk", None]:
        """What the vendor sends, within the deadlines and with our errors."""
        from elevenlabs import VoiceSettings

        voice_id = request.voice_id or self._voice
        if not _VOICE_ID.fullmatch(voice_id):
            raise BadInput("a voice of ElevenLabs is named by letters and digits")  # it becomes a part of the path
        manner = TONES.get(request.tone.strip().lower(), NEUTRAL)
        settings = VoiceSettings(stability=manner.stability, similarity_boost=manner.similarity, speed=manner.speed)
        language = self._language(request)
        ask = client.text_to_speech.stream_with_timestamps if timed else client.text_to_speech.stream
        answer = ask(
            voice_id,
            text=request.text,
            model_id=self._model,
            output_format="ulaw_8000" if sample_rate == mulaw.SAMPLE_RATE else "pcm_22050",
            voice_settings=settings,
            request_options={"max_retries": 0, "chunk_size": _CHUNK},
            **({"language_code": language} if language else {}),
        )
        patience = self._patience.first_s
        try:
            while True:
                with _told_as_ours(timed):
                    async with asyncio.timeout(patience):
                        received = await anext(answer, None)
                    if received is None:
                        return
                    chunk = _Chunk(received) if isinstance(received, bytes) else _read(received)
                yield chunk
                patience = self._patience.next_s
        finally:
            await answer.aclose()

    def _language(self, request: Speak) -> str:
        # Other models find the language out by themselves, and refuse to be told.
        return request.locale.replace("_", "-").partition("-")[0].lower() if self._model.endswith("_v2_5") else ""

    async def _connected(self) -> "AsyncElevenLabs":
        async with self._building:
            if self._client is None:
                self._client = await asyncio.to_thread(self._build)
            return self._client

    def _build(self) -> "AsyncElevenLabs":
        from elevenlabs.client import AsyncElevenLabs

        longest = max(self._patience.first_s, self._patience.next_s) + 1  # the deadlines above come first
        self._http = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=120),
            timeout=longest,
        )
        client = AsyncElevenLabs(
            api_key=self._api_key,
            base_url=self._base_url or _HOST,
            timeout=longest,
            httpx_client=self._http,
        )
        client.text_to_speech.stream  # noqa: B018 # imports what it needs
        return client


class _Chunk(NamedTuple):
    """A piece of the answer, with the characters that were told with it and their times in seconds."""

    audio: bytes
    characters: Sequence[str] = ()
    starts: Sequence[float] = ()
    ends: Sequence[float] = ()


class _Alignment(msgspec.Struct):
    characters: list[str]
    character_start_times_seconds: list[float]
    character_end_times_seconds: list[float]


class _Timed(msgspec.Struct):
    """What is read of an answer's line. The SDK gives its own types to whatever a server sends: it is checked here."""

    audio_base_64: str | None = None
    alignment: _Alignment | None = None


def _read(received: object) -> _Chunk:
    line = msgspec.convert(received, _Timed, from_attributes=True)
    audio = base64.b64decode(line.audio_base_64 or "", validate=True)
    if line.alignment is None:
        return _Chunk(audio)
    times = line.alignment
    if not len(times.characters) == len(times.character_start_times_seconds) == len(times.character_end_times_seconds):
        raise ValueError("as many times as characters are expected")
    return _Chunk(audio, times.characters, times.character_start_times_seconds, times.character_end_times_seconds)


class _Decoder:
    """Samples of mu-law or of 16-bit audio that is cut anywhere."""

    def __init__(self, sample_rate: int) -> None:
        self.samples = 0
        self._rate = sample_rate
        self._odd = b""

    @property
    def milliseconds(self) -> int:
        """How much there was by now."""
        return self.samples * 1000 // self._rate

    def push(self, audio: bytes) -> Samples:
        if self._rate == mulaw.SAMPLE_RATE:
            decoded = mulaw.decode(audio)
        else:
            audio = self._odd + audio
            whole = len(audio) // 2 * 2
            decoded, self._odd = np.frombuffer(audio[:whole], "<i2"), audio[whole:]
        self.samples += len(decoded)
        return decoded


class _NoTimestamps(UpstreamFailed):
    """The server does not know the streams with timestamps."""


class _Detail(msgspec.Struct):
    status: str


class _Refusal(msgspec.Struct):
    detail: _Detail


@contextmanager
def _told_as_ours(timed: bool = False) -> Iterator[None]:
    """Raises the vendor's and the network's errors as ours. Only codes are told on: a message may quote the text."""
    from elevenlabs.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        raise _refusal(error, timed) from None
    except (TimeoutError, httpx.TimeoutException):
        raise DeadlineExceeded("ElevenLabs took too long") from None
    except httpx.HTTPError as error:
        raise UpstreamFailed(f"ElevenLabs: {type(error).__name__}") from None
    except (msgspec.ValidationError, ValueError, TypeError):
        raise UpstreamFailed("ElevenLabs answered with something else") from None


def _refusal(error: "ApiError", timed: bool) -> ScrizaError:
    try:
        code = msgspec.convert(error.body, _Refusal).detail.status[:80]
    except msgspec.ValidationError:
        code = ""
    status = error.status_code or 0
    told = f"ElevenLabs answered {status} {code}".rstrip()
    if timed and not code and status in {404, 405, 501}:
        return _NoTimestamps(told)
    if status in {401, 402, 403}:
        return Unavailable(told)
    if status == 404 or code == "voice_not_found":
        return NotFound(told)
    if status in {400, 413, 422}:
        return BadInput(told)
    retry_after = (error.headers or {}).get("retry-after", "")
    patience = int(retry_after) if retry_after.isdecimal() else None
    return (RateLimited if status == 429 else UpstreamFailed)(told, retry_after=patience)
