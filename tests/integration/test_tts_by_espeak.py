"""The speech module with the engine that needs no key: what people send to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone, SpokenWords
from scriza_adapters.espeak import voices
from scriza_adapters.espeak.engine import EspeakEngine, espeak_worker
from scriza_adapters.objects_directory import DirectoryObjects
from tests.standins.teller import Told

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not voices.installed(), reason="espeakng-loader is missing: install the extra `embedded`"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speech(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TtsService]:
    worker = espeak_worker()
    objects = DirectoryObjects(Path(tmp_path_factory.mktemp("objects")), url="http://here", key="secret")
    service = TtsService([EspeakEngine(worker)], objects, Told())
    await service.warm_up()
    try:
        yield service
    finally:
        await service.close()
        await worker.close()


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Hello \N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}!", "en-US"),
        ("\u202eAbc\u202c \u200bd\u200be\u200bf", "en-US"),
        ("mixed עברית and العربية", "en-US"),
        ("مرحبا، كيف الحال؟", "ar-EG"),
        ("Line one\r\n\r\nline two\ttab\x00\x07", "en-US"),
        ("<speak><break time='1s'/>&amp; [[h@'loU]] </speak>", "en-US"),
        ("Z\u0351\u036b\u0343\u036aa\u0302\u036b\u033dl\u034bg\u0306o\u0309", "en-US"),
        ("A." * 2500, "en-US"),
        ("snake_case {_-A} `x` [y]", "vi-VN"),
        ("a" * 5000, "en-US"),
        ("१२३ " * 100, "hi-IN"),
        ("x\ud800y", "en-US"),
        ("hello", "no-such-locale"),
        ("hello", "\N{GRINNING FACE}"),
        ("hello", ""),
    ],
)
async def test_whatever_has_a_letter_is_spoken_and_its_words_cover_it(
    speech: TtsService, text: str, locale: str
) -> None:
    audio, words = b"", []
    async for part in speech.stream_speak(Speak(text, locale=locale)):
        match part:
            case SpokenAudio(payload):
                audio += payload
            case SpokenWords(told):
                words += told
            case SpokenDone(duration):
                assert round(duration * 8000) == len(audio)
    edges = [edge for word in words for edge in (word.start_ms, word.end_ms)]
    assert edges == sorted(edges)
    assert edges[-1] * 8 <= len(audio)
    assert words[-1].chars == len(text)
    assert len(set(audio)) > 100, "this is not speech"


async def test_the_same_clip_is_the_same_on_both_doors(speech: TtsService) -> None:
    streamed = [part async for part in speech.stream_speak(Speak("The same clip."))]
    clip = await speech.speak(Speak("The same clip.", format="mulaw"))
    assert clip.audio_base64 == b"".join(part.payload for part in streamed if isinstance(part, SpokenAudio))
    assert clip.cache_hit
    assert 0.7 < clip.duration < 2.0


async def test_a_clause_after_another_sounds_about_as_long_as_both_together(speech: TtsService) -> None:
    whole = await speech.speak(Speak("Well, that depends on your team.", format="mulaw"))
    parts = [await speech.speak(Speak(text, format="mulaw")) for text in ("Well,", "that depends on your team.")]
    assert sum(part.duration for part in parts) == pytest.approx(whole.duration, abs=0.25)
