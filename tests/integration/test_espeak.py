"""espeak-ng itself, in its worker process."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio

from scriza.audio.levels import dbfs
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput, UpstreamFailed
from scriza.ports.tts import Speak, SpokenWord
from scriza_adapters.espeak import voices
from scriza_adapters.espeak.engine import EspeakEngine, EspeakVoice, espeak_worker

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not voices.installed(), reason="espeakng-loader is missing: install the extra `embedded`"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def espeak() -> AsyncIterator[EspeakEngine]:
    worker = espeak_worker()
    try:
        yield EspeakEngine(worker)
    finally:
        await worker.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller() -> AsyncIterator[EspeakVoice]:
    worker = espeak_worker()
    try:
        yield EspeakVoice(worker)
    finally:
        await worker.close()


async def spoken(engine: EspeakEngine, request: Speak, rate: int = 8000) -> tuple[Samples, list[SpokenWord]]:
    pieces = [piece async for piece in engine.synthesize(request, rate)]
    return np.concatenate([samples for samples, _ in pieces]), [word for _, words in pieces for word in words]


@pytest.mark.parametrize("rate", [8000, 22050])
@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Hello there, how are you? I am fine.", "en-US"),
        ("It costs $1,500.50 a month; write to a@b.com (or call +1 415 555 0123).", "en-GB"),
        ("नमस्ते, आप कैसे हैं? मैं ठीक हूँ।", "hi-IN"),
        ("Très bien \N{THUMBS UP SIGN} merci à vous…", "fr-FR"),
        ("你好，世界。今天很好。", "zh-CN"),  # noqa: RUF001 # the full-width comma is meant
        ("مرحبا بالعالم، كيف حالك؟", "ar"),
        ("A first sentence of some length that says nothing at all. " * 9, "en-IN"),
    ],
)
async def test_words_lie_within_the_clip_in_order_and_cover_the_text(
    espeak: EspeakEngine, text: str, locale: str, rate: int
) -> None:
    samples, words = await spoken(espeak, Speak(text, locale=locale), rate)
    duration_ms = len(samples) * 1000 / rate
    edges = [edge for word in words for edge in (word.start_ms, word.end_ms)]
    assert edges == sorted(edges)
    assert edges[-1] <= duration_ms
    assert [word.chars for word in words] == sorted({word.chars for word in words})
    assert len(text.split()) * 0.7 <= len(words) or locale == "zh-CN"
    assert words[-1].chars == len(text)


async def test_a_word_is_told_no_later_than_the_audio_in_which_it_ends(espeak: EspeakEngine) -> None:
    passed = 0
    async for samples, words in espeak.synthesize(Speak("One two three, four five six. Seven, eight."), 8000):
        assert all(word.end_ms >= passed / 8 for word in words)
        passed += len(samples)


async def test_a_clip_starts_and_ends_close_to_its_speech(espeak: EspeakEngine) -> None:
    samples, words = await spoken(espeak, Speak("Good morning,"))
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > 64)
    assert audible[0] < 80 * 8
    assert 50 * 8 < len(samples) - audible[-1] < 150 * 8
    assert abs(words[-1].end_ms - audible[-1] / 8) < 25
    assert -30 < dbfs(samples) < -12


async def test_the_tone_changes_the_manner(espeak: EspeakEngine) -> None:
    text = "We could talk about that tomorrow."
    calm, _ = await spoken(espeak, Speak(text, tone="calm"))
    urgent, _ = await spoken(espeak, Speak(text, tone="urgent"))
    assert len(calm) > 1.1 * len(urgent)
    assert espeak.sound(Speak(text, tone="calm")) != espeak.sound(Speak(text, tone="urgent"))


async def test_after_an_abandoned_clip_the_next_one_is_spoken(espeak: EspeakEngine) -> None:
    async with aclosing(espeak.synthesize(Speak("A very long story. " * 200), 8000)) as pieces:
        await anext(pieces)
    samples, _ = await spoken(espeak, Speak("Yes."))
    assert len(samples) > 1000


async def test_a_long_text_lets_a_short_one_through(espeak: EspeakEngine) -> None:
    finished: list[str] = []

    async def speak(name: str, text: str) -> None:
        await spoken(espeak, Speak(text))
        finished.append(name)

    long = asyncio.create_task(speak("long", "A very long story that goes on and on. " * 120))
    await asyncio.sleep(0)
    await speak("short", "Yes.")
    await long
    assert finished == ["short", "long"]


async def test_a_text_that_kills_the_library_is_an_error_and_the_next_one_is_spoken(caller: EspeakVoice) -> None:
    with pytest.raises(UpstreamFailed):
        await caller.samples("A." * 2500)
    assert len(await caller.samples("Still here.")) > 2000


async def test_a_caller_speaks_at_the_rate_asked_for(caller: EspeakVoice) -> None:
    slow, fast = [await caller.samples("how much does it cost", "en-us+f3", rate) for rate in (120, 220)]
    assert slow.dtype == np.int16
    assert len(slow) > 1.3 * len(fast)
    with pytest.raises(BadInput):
        await caller.samples("...")
    with pytest.raises(BadInput):
        await caller.samples("hello", rate_wpm=9000)


async def test_the_library_is_never_loaded_into_scriza_itself() -> None:
    code = (
        "import sys, scriza_adapters.espeak.engine as e; from scriza.ports.tts import Speak;"
        "e.EspeakEngine(e.espeak_worker()).sound(Speak('x'));"
        "print([name for name in sys.modules if 'espeakng' in name or name.endswith('.binding')])"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    listed, _ = await process.communicate()
    assert (listed.strip(), process.returncode) == (b"[]", 0)
