"""The ways over HTTP: one request a clip, by the vendor's SDK, on connections that stay open.

The SDK asks and refuses; what is answered is read here from its HTTP client's response, since the SDK's own types of a
line cost the event loop a millisecond each.
"""

import ssl
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import httpx

from scriza.audio import mulaw
from scriza.kernel.errors import UpstreamFailed
from scriza_adapters.elevenlabs.decoding import Chunk, chunk_of
from scriza_adapters.elevenlabs.order import Order

if TYPE_CHECKING:
    from elevenlabs import PronunciationDictionaryVersionLocator, VoiceSettings
    from elevenlabs.client import AsyncElevenLabs

_KEEPALIVE_S = 120.0

_answers: ContextVar[list[httpx.Response] | None] = ContextVar("elevenlabs_answers", default=None)


def http_client(tls: ssl.SSLContext, longest_s: float) -> httpx.AsyncClient:
    """The pool of connections; `longest_s` bounds each wait, beyond the deadlines of those who wait."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=_KEEPALIVE_S)
    hooks = {"response": [_remember]}
    return httpx.AsyncClient(limits=limits, timeout=longest_s, verify=tls, event_hooks=hooks)


async def _remember(response: httpx.Response) -> None:
    if (answers := _answers.get()) is not None:
        answers.append(response)


async def streamed(
    client: "AsyncElevenLabs", order: Order, sample_rate: int, *, timed: bool
) -> AsyncGenerator[Chunk, None]:
    """The clip as it is sent. Raises what the SDK and httpx raise, and UpstreamFailed for what is no audio."""
    raw = client.text_to_speech.with_raw_response
    answering = (raw.stream_with_timestamps if timed else raw.stream)(
        order.voice_id,
        text=order.text,
        model_id=order.model,
        output_format="ulaw_8000" if sample_rate == mulaw.SAMPLE_RATE else "pcm_22050",
        voice_settings=_settings(order),
        request_options={"max_retries": 0},
        **({"language_code": order.language} if order.language else {}),
        **({"previous_text": order.previous_text} if order.previous_text else {}),
        **({"next_text": order.next_text} if order.next_text else {}),
        **({"pronunciation_dictionary_locators": _locators(order)} if order.dictionaries else {}),
    )
    answers: list[httpx.Response] = []
    _answers.set(answers)
    async with answering:
        answer = answers[-1]
        kind = answer.headers.get("content-type", "").lower()
        if kind.startswith(("text/html", "audio/") if timed else ("text/", "application/json")):
            raise UpstreamFailed("ElevenLabs answered with another content type")
        if timed:
            async for line in _lines(answer):
                yield chunk_of(line)
        else:
            async for audio in answer.aiter_bytes():
                yield Chunk(audio)


async def _lines(answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Those that are not empty. httpx would also cut where a text in the JSON has a Unicode line end."""
    rest = b""
    async for piece in answer.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in filter(bytes.strip, lines):
            yield line
    if rest.strip():
        yield rest


def _settings(order: Order) -> "VoiceSettings":
    from elevenlabs import VoiceSettings

    manner = order.manner
    settings = VoiceSettings(stability=manner.stability, similarity_boost=manner.similarity, speed=manner.speed)
    return settings.model_copy(update={"style": manner.style}) if manner.style else settings


def _locators(order: Order) -> "list[PronunciationDictionaryVersionLocator]":
    from elevenlabs import PronunciationDictionaryVersionLocator

    return [
        PronunciationDictionaryVersionLocator(pronunciation_dictionary_id=each.id, version_id=each.version or None)
        for each in order.dictionaries
    ]
