"""The vendor's own SDK against the stand-in: what it sends is taken, what the vendor does not document is refused."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from elevenlabs import (
    PronunciationDictionaryLocator,
    PronunciationDictionaryVersionLocator,
    RealtimeVoiceSettings,
    VoiceSettings,
)
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types import CloseContext, InitializeConnectionMulti, SendTextMulti, WebsocketTtsServerMessageMulti
from websockets.asyncio.client import connect

from tests.standins.elevenlabs import ElevenLabsStandIn, sound, standing_in

VOICE = "EXAVITQu4vr4xnSDxMaL"
EVERYTHING: dict[str, Any] = {
    "text": "Hello there.",
    "model_id": "eleven_flash_v2_5",
    "language_code": "en",
    "voice_settings": VoiceSettings(stability=0.4, similarity_boost=0.7, style=0.1, speed=1.1, use_speaker_boost=True),
    "pronunciation_dictionary_locators": [
        PronunciationDictionaryVersionLocator(pronunciation_dictionary_id="d", version_id="v")
    ],
    "seed": 7,
    "previous_text": "Well.",
    "next_text": "Bye.",
    "output_format": "ulaw_8000",
    "optimize_streaming_latency": 1,
    "enable_logging": True,
}


@pytest.fixture
async def vendor() -> AsyncIterator[ElevenLabsStandIn]:
    async with standing_in(ElevenLabsStandIn()) as standin:
        yield standin


@pytest.fixture
def sdk(vendor: ElevenLabsStandIn) -> AsyncElevenLabs:
    return AsyncElevenLabs(api_key="key", base_url=vendor.url)


async def test_a_plain_stream_is_the_clips_audio(sdk: AsyncElevenLabs) -> None:
    audio = b"".join([piece async for piece in sdk.text_to_speech.stream(VOICE, **EVERYTHING)])
    assert audio == sound("Hello there.", "ulaw_8000")


async def test_a_stream_with_timestamps_tells_every_character(sdk: AsyncElevenLabs) -> None:
    audio, told = b"", ""
    async for chunk in sdk.text_to_speech.stream_with_timestamps(VOICE, **EVERYTHING):
        audio += base64.b64decode(chunk.audio_base_64)
        assert chunk.alignment
        told += "".join(chunk.alignment.characters)
    assert (audio, told) == (sound("Hello there.", "ulaw_8000"), "Hello there.")


async def test_models_are_listed(sdk: AsyncElevenLabs) -> None:
    assert [model.model_id for model in await sdk.models.list()] == ["eleven_flash_v2_5"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_options": {"additional_body_parameters": {"pitch": 1}}},
        {"request_options": {"additional_query_parameters": {"speed": "1"}}},
        {"output_format": "ogg"},
        {"voice_settings": VoiceSettings(stability=3)},
        {"text": ""},
    ],
)
async def test_what_the_vendor_does_not_know_is_refused(sdk: AsyncElevenLabs, wrong: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        async for _ in sdk.text_to_speech.stream(VOICE, **{**EVERYTHING, **wrong}):
            pass
    assert caught.value.status_code == 422


def shown(message: Any) -> str:
    return str(message.model_dump_json(exclude_none=True))


async def test_the_sockets_messages_are_those_of_the_sdks_types(vendor: ElevenLabsStandIn) -> None:
    url = f"ws{vendor.url.removeprefix('http')}/v1/text-to-speech/{VOICE}/multi-stream-input?output_format=ulaw_8000"
    async with connect(url, additional_headers={"xi-api-key": "key"}) as socket:
        await socket.send(
            shown(
                InitializeConnectionMulti(
                    voice_settings=RealtimeVoiceSettings(stability=0.4, speed=1.1),
                    pronunciation_dictionary_locators=[
                        PronunciationDictionaryLocator(pronunciation_dictionary_id="d", version_id="v")
                    ],
                    context_id="a",
                )
            )
        )
        await socket.send(shown(SendTextMulti(text="Hello. ", context_id="a", flush=True)))
        await socket.send(shown(CloseContext(context_id="a", close_context=True)))
        audio, final = b"", False
        while not final:
            told = WebsocketTtsServerMessageMulti.model_validate_json(await socket.recv())
            audio += base64.b64decode(told.audio or "")
            final = bool(told.model_extra and told.model_extra.get("isFinal"))
    assert audio == sound("Hello.", "ulaw_8000")


@pytest.mark.parametrize(
    "message", ['{"text": " ", "contextid": "a"}', '{"text": "Hello", "context_id": "a"}', "hello"]
)
async def test_a_message_that_the_vendor_does_not_know_closes_the_socket(
    vendor: ElevenLabsStandIn, message: str
) -> None:
    url = f"ws{vendor.url.removeprefix('http')}/v1/text-to-speech/{VOICE}/multi-stream-input"
    async with connect(url, additional_headers={"xi-api-key": "key"}) as socket:
        await socket.send(message)
        assert "invalid_message" in str(await socket.recv())
        await socket.wait_closed()
        assert socket.close_code == 1008
