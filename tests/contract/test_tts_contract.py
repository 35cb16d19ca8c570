"""What the door to speech promises, in this process and over HTTP alike."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import av
import pytest
from litestar import Litestar

from scriza.audio.wav import decode_wav
from scriza.kernel.errors import BadInput, ScrizaError, TooLarge, UpstreamFailed
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone, SpokenWord, SpokenWords, Tts
from scriza.wire import connect, disconnect, serve
from scriza_adapters.objects_directory import DirectoryObjects
from tests.serving import serving
from tests.standins.speech_engine import WORD_MS, ToneEngine
from tests.standins.teller import Told
from tests.waiting import eventually

TEXT = "one two three four five six seven"


class Rig(NamedTuple):
    tts: Tts
    engine: ToneEngine
    objects: DirectoryObjects


@pytest.fixture(params=["in process", "over HTTP"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ToneEngine()
    objects = DirectoryObjects(tmp_path, url="http://here.local", key="secret")
    service = TtsService([engine], objects, Told())
    try:
        if request.param == "in process":
            yield Rig(service, engine, objects)
            return
        async with serving(Litestar([serve(Tts, service)])) as url:
            client = connect(Tts, url)
            yield Rig(client, engine, objects)
            await disconnect(client)
    finally:
        await service.close()


class Heard(NamedTuple):
    audio: bytes
    words: list[SpokenWord]
    done: SpokenDone


async def streamed(tts: Tts, request: Speak) -> Heard:
    audio, words = b"", list[SpokenWord]()
    async for part in tts.stream_speak(request):
        match part:
            case SpokenAudio(payload):
                audio += payload
            case SpokenWords(told):
                assert all(word.end_ms * 8 >= len(audio) for word in told), "told too late"
                words += told
            case SpokenDone():
                return Heard(audio, words, part)
    raise AssertionError("a stream of speech ends with `done`")


async def test_a_clip_for_the_phone_is_mu_law_of_exactly_its_duration(rig: Rig) -> None:
    clip = await rig.tts.speak(Speak(TEXT, format="mulaw"))
    assert clip.duration == 7 * WORD_MS / 1000
    assert clip.audio_base64 is not None
    assert len(clip.audio_base64) == clip.duration * 8000
    assert (clip.cache_hit, clip.url) == (False, None)


async def test_mp3_is_the_default_and_plays_for_exactly_the_duration(rig: Rig) -> None:
    clip = await rig.tts.speak(Speak(TEXT))
    with av.open(io.BytesIO(clip.audio_base64 or b"")) as container:
        frames = list(container.decode(audio=0))
    assert round(sum(frame.samples for frame in frames) / 22050, 3) == clip.duration
    assert frames[0].sample_rate == 22050


async def test_a_wav_clip_is_22_khz(rig: Rig) -> None:
    clip = await rig.tts.speak(Speak(TEXT, format="wav"))
    samples, rate = decode_wav(clip.audio_base64 or b"")
    assert (rate, round(len(samples) / 22050, 3)) == (22050, clip.duration)


@pytest.mark.parametrize(
    ("audio_format", "content_type"), [("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("mulaw", "audio/basic")]
)
async def test_a_clip_can_be_had_by_url(rig: Rig, audio_format: str, content_type: str) -> None:
    request = Speak(TEXT, format=audio_format, delivery="url")
    clip = await rig.tts.speak(request)
    again = await rig.tts.speak(Speak(TEXT, format=request.format))
    assert clip.audio_base64 is None
    assert clip.url is not None
    url = urlsplit(clip.url)
    signed = {name: value for name, [value] in parse_qs(url.query).items()}
    found = await rig.objects.open(url.path.removeprefix("/objects/"), signed["expires"], signed["signature"])
    assert (found.body, found.content_type) == (again.audio_base64, content_type)
    assert again.cache_hit


@pytest.mark.parametrize("audio_format", ["mp3", "wav", "mulaw"])
async def test_the_same_request_is_synthesised_once(rig: Rig, audio_format: str) -> None:
    request = Speak(TEXT, format=audio_format)
    first, second = await rig.tts.speak(request), await rig.tts.speak(request)
    assert (first.cache_hit, second.cache_hit) == (False, True)
    assert (first.audio_base64, first.duration) == (second.audio_base64, second.duration)
    assert len(rig.engine.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        Speak(TEXT + " eight", format="mulaw"),
        Speak(TEXT, voice_id="v", format="mulaw"),
        Speak(TEXT, tone="calm", format="mulaw"),
        Speak(TEXT, locale="hi-IN", format="mulaw"),
    ],
)
async def test_another_text_or_sound_is_another_clip(rig: Rig, other: Speak) -> None:
    await rig.tts.speak(Speak(TEXT, format="mulaw"))
    assert not (await rig.tts.speak(other)).cache_hit


async def test_a_stream_tells_every_word_no_later_than_its_audio_and_ends_with_done(rig: Rig) -> None:
    heard = await streamed(rig.tts, Speak(TEXT))
    assert [TEXT[: word.chars].split()[-1] for word in heard.words] == TEXT.split()
    assert heard.words[-1] == SpokenWord(600, 700, len(TEXT))
    assert len(heard.audio) == heard.done.duration * 8000
    assert heard.done == SpokenDone(0.7, len(TEXT), False)


async def test_a_stream_and_a_clip_for_the_phone_are_the_same_clip(rig: Rig) -> None:
    heard = await streamed(rig.tts, Speak(TEXT))
    clip = await rig.tts.speak(Speak(TEXT, format="mulaw"))
    assert (clip.audio_base64, clip.duration, clip.cache_hit) == (heard.audio, heard.done.duration, True)


async def test_a_cached_clip_streams_as_it_did_when_it_was_made(rig: Rig) -> None:
    text = "word " * 40
    first, second = await streamed(rig.tts, Speak(text)), await streamed(rig.tts, Speak(text))
    assert (second.audio, second.words) == (first.audio, first.words)
    assert (first.done.cache_hit, second.done.cache_hit) == (False, True)


async def test_the_first_audio_is_there_before_the_last_is_made(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(1)
    async with aclosing(rig.tts.stream_speak(Speak(TEXT))) as parts:
        assert isinstance(await anext(parts), SpokenWords)
        assert isinstance(await anext(parts), SpokenAudio)
        for _ in range(6):
            rig.engine.gate.release()
        assert isinstance([part async for part in parts][-1], SpokenDone)


async def test_leaving_a_stream_stops_the_engine_and_keeps_nothing(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(2)
    async with aclosing(rig.tts.stream_speak(Speak(TEXT))) as parts:
        await anext(parts)
    await eventually(lambda: rig.engine.closed == 1)
    rig.engine.gate = None
    assert not (await streamed(rig.tts, Speak(TEXT))).done.cache_hit


async def test_many_who_ask_at_once_are_served_by_one_synthesis(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(0)
    asking = asyncio.gather(*(streamed(rig.tts, Speak(TEXT)) for _ in range(8)))
    await eventually(lambda: len(rig.engine.asked) == 1)
    for _ in range(7):
        await asyncio.sleep(0.01)
        rig.engine.gate.release()
    heard = await asking
    assert len(rig.engine.asked) == 1
    assert {(clip.audio, tuple(clip.words)) for clip in heard} == {(heard[0].audio, tuple(heard[0].words))}
    assert [clip.done.cache_hit for clip in heard].count(False) == 1


async def test_the_first_to_ask_may_leave_without_harm_to_the_others(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(2)
    first = asyncio.create_task(streamed(rig.tts, Speak(TEXT)))
    await eventually(lambda: len(rig.engine.asked) == 1)
    async with aclosing(rig.tts.stream_speak(Speak(TEXT))) as other:
        await anext(other)  # it has joined
        first.cancel()
        await asyncio.wait([first])
        for _ in range(7):
            rig.engine.gate.release()
        assert isinstance([part async for part in other][-1], SpokenDone)
    assert len(rig.engine.asked) == 1


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("a" * 5001, TooLarge),
        ("word " * 20_000, TooLarge),
        ("\N{GRINNING FACE}" * 25_000, TooLarge),
        (" ", BadInput),
        ("...?!", BadInput),
        ("\N{GRINNING FACE}\N{THUMBS UP SIGN}", BadInput),
        ("\u200b\u202e\ufeff", BadInput),
        ("\x00\x07\x1b", BadInput),
        ("\u0300\u0301", BadInput),
    ],
)
async def test_what_cannot_be_said_is_refused(rig: Rig, text: str, refusal: type[ScrizaError]) -> None:
    with pytest.raises(refusal):
        await rig.tts.speak(Speak(text))
    with pytest.raises(refusal):
        await streamed(rig.tts, Speak(text))
    assert rig.engine.asked == []


async def test_a_broken_engine_is_an_upstream_failure_on_both_doors(rig: Rig) -> None:
    rig.engine.fail_after = 0
    with pytest.raises(UpstreamFailed):
        await rig.tts.speak(Speak(TEXT))
    with pytest.raises(UpstreamFailed):
        await streamed(rig.tts, Speak(TEXT))


async def test_an_engine_that_breaks_off_breaks_the_stream_off_and_nothing_is_kept(rig: Rig) -> None:
    rig.engine.fail_after = 3
    parts = rig.tts.stream_speak(Speak(TEXT))
    heard = [await anext(parts) for _ in range(6)]
    assert len([part for part in heard if isinstance(part, SpokenAudio)]) == 3
    with pytest.raises(UpstreamFailed):
        await anext(parts)
    rig.engine.fail_after = None
    assert not (await rig.tts.speak(Speak(TEXT, format="mulaw"))).cache_hit


async def test_what_nobody_expected_of_an_engine_is_an_upstream_failure_that_tells_no_text(rig: Rig) -> None:
    rig.engine.fail_after, rig.engine.failure = 0, RuntimeError(f"cannot say {TEXT}")
    with pytest.raises(UpstreamFailed) as caught:
        await rig.tts.speak(Speak(TEXT))
    assert TEXT not in str(caught.value)
