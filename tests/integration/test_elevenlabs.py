"""The ElevenLabs adapter, with the vendor's own SDK, against a stand-in that behaves badly on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

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
from scriza_adapters.elevenlabs.casting import Casting
from scriza_adapters.elevenlabs.client import ElevenLabs, Way
from scriza_adapters.elevenlabs.engine import ElevenLabsEngine
from scriza_adapters.elevenlabs.order import Patience
from tests.serving import listening_socket
from tests.standins.elevenlabs import Behaviour, ElevenLabsStandIn, sound, standing_in
from tests.waiting import eventually

TEXT = "Hello there, how are you?"
SOUNDS_S = len(TEXT) * 0.05


@pytest.fixture
async def vendor() -> AsyncIterator[ElevenLabsStandIn]:
    async with standing_in(ElevenLabsStandIn(key="sk_secret")) as standin:
        yield standin


Opened = Callable[..., ElevenLabsEngine]


@pytest.fixture
async def opened(vendor: ElevenLabsStandIn) -> AsyncIterator[Opened]:
    """Makes engines that are closed at the end; the options are the client's and the engine's."""
    clients: list[ElevenLabs] = []

    def make(
        *,
        key: str = "sk_secret",
        url: str = "",
        way: Way = "timed",
        patience: Patience | None = None,
        casting: Casting | None = None,
        **options: Any,
    ) -> ElevenLabsEngine:
        clients.append(ElevenLabs(key, base_url=url or vendor.url, way=way, patience=patience or Patience(5, 5)))
        return ElevenLabsEngine(clients[-1], casting, **options)

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def engine(opened: Opened) -> ElevenLabsEngine:
    return opened()


async def spoken(
    engine: ElevenLabsEngine, request: Speak | None = None, rate: int = 8000
) -> tuple[Samples, list[SpokenWord]]:
    pieces = [piece async for piece in engine.synthesize(request or Speak(TEXT), rate)]
    heard = 0
    for samples, words in pieces:
        assert all((word.end_ms + 1) * rate > heard * 1000 for word in words), "told too late"
        heard += len(samples)
    return np.concatenate([samples for samples, _ in pieces]), [word for _, words in pieces for word in words]


async def test_speech_comes_with_the_time_of_every_word(engine: ElevenLabsEngine) -> None:
    samples, words = await spoken(engine)
    assert mulaw.encode(samples) == sound(TEXT, "ulaw_8000").replace(b"\x7f", b"\xff")
    assert [TEXT[: word.chars].split()[-1] for word in words] == TEXT.split()
    assert words[0] == SpokenWord(0, 250, 5)
    assert words[-1] == SpokenWord(1050, 1250, len(TEXT))


async def test_files_are_made_of_22_khz_audio(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    samples, words = await spoken(engine, rate=22050)
    assert samples.astype("<i2").tobytes() == sound(TEXT, "pcm_22050")
    assert words[-1].end_ms == 1250
    assert vendor.spoken[0].query == {"output_format": ["pcm_22050"]}


async def test_the_vendor_is_asked_in_its_own_terms(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    await spoken(engine, Speak(TEXT, voice_id="JBFqnCBsd6RMkjVDRZzb", tone="calm", locale="hi-IN"))
    [request] = vendor.spoken
    assert request.path == "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/stream/with-timestamps"
    assert request.headers["xi-api-key"] == "sk_secret"
    assert request.body == {
        "text": TEXT,
        "model_id": "eleven_flash_v2_5",
        "language_code": "hi",
        "voice_settings": {"stability": 0.7, "similarity_boost": 0.75, "speed": 0.93},
    }


async def test_what_changes_the_sound_changes_its_name(engine: ElevenLabsEngine) -> None:
    requests = [
        Speak(TEXT),
        Speak(TEXT, voice_id="JBFqnCBsd6RMkjVDRZzb"),
        Speak(TEXT, tone="calm"),
        Speak(TEXT, locale="hi"),
    ]
    assert len({engine.sound(request) for request in requests}) == 4
    assert engine.sound(Speak(TEXT)) == engine.sound(Speak("another", locale="en-CA", format="wav", call_id="CA1"))


async def test_calls_share_one_connection(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    await engine.warm_up()
    for _ in range(3):
        await spoken(engine)
    assert len({request.port for request in vendor.requests}) == 1


async def test_first_audio_is_there_before_the_last_is_made(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(stall_after=1))
    async with aclosing(engine.synthesize(Speak(TEXT), 8000)) as pieces:
        samples, _ = await anext(pieces)
    assert len(samples) == 5 * 400


async def test_leaving_closes_the_connection_to_the_vendor(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    vendor.will(Behaviour(stall_after=1))
    async with aclosing(engine.synthesize(Speak(TEXT), 8000)) as pieces:
        await anext(pieces)
    await eventually(vendor.spoken[0].disconnected.is_set)


async def test_without_timestamps_words_are_guessed_and_cover_the_text(
    opened: Opened, vendor: ElevenLabsStandIn
) -> None:
    samples, words = await spoken(opened(way="plain"))
    assert vendor.spoken[0].path.endswith("/stream")
    assert len(samples) == SOUNDS_S * 8000
    assert [word.chars for word in words] == sorted({word.chars for word in words})
    assert words[-1] == SpokenWord(words[-1].start_ms, 1250, len(TEXT))


async def test_a_server_without_timestamps_is_asked_for_a_plain_stream_from_then_on(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.timestamps = False
    for _ in range(2):
        samples, words = await spoken(engine)
        assert (len(samples), words[-1].chars) == (SOUNDS_S * 8000, len(TEXT))
    assert [request.path.rpartition("/")[2] for request in vendor.spoken] == ["with-timestamps", "stream", "stream"]


async def test_a_server_that_is_away_for_a_moment_is_asked_for_times_again(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    """A proxy answers 404 with a page of its own while nothing stands behind it."""
    vendor.will(*[Behaviour(status=404, body=b"<html>")] * 2)
    with pytest.raises(UpstreamFailed):
        await spoken(engine)
    _, words = await spoken(engine)
    assert words[0] == SpokenWord(0, 250, 5)


async def test_a_file_without_times_does_not_close_the_sockets(opened: Opened, vendor: ElevenLabsStandIn) -> None:
    vendor.timestamps = False
    engine = opened(way="socket")
    await spoken(engine, rate=22050)
    await spoken(engine)
    kinds = [request.path.rpartition("/")[2] for request in vendor.spoken]
    assert kinds == ["with-timestamps", "stream", "multi-stream-input"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\n", "\r\n"])
async def test_a_text_may_have_lines(engine: ElevenLabsEngine, separator: str) -> None:
    text = f"Hello{separator}there"
    samples, words = await spoken(engine, Speak(text))
    assert (len(samples), [word.chars for word in words]) == (len(text) * 400, [5, len(text)])


async def test_audio_without_alignment_is_spoken_all_the_same(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(alignment=False))
    samples, words = await spoken(engine)
    assert (len(samples), words) == (SOUNDS_S * 8000, [SpokenWord(0, 1250, len(TEXT))])


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (401, "invalid_api_key", Unavailable),
        (401, "quota_exceeded", Unavailable),
        (402, "payment_required", Unavailable),
        (403, "missing_permissions", Unavailable),
        (404, "voice_not_found", NotFound),
        (400, "voice_not_found", NotFound),
        (422, "invalid_text", BadInput),
    ],
)
async def test_a_refusal_is_told_with_the_vendors_code_and_is_final(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, status: int, code: str, raised: type[ScrizaError]
) -> None:
    vendor.will(Behaviour(status=status, code=code))
    with pytest.raises(raised, match=f"{status} {code}") as caught:
        await spoken(engine)
    assert "secret" not in repr(caught.value) + str(caught.value.__cause__)
    assert len(vendor.spoken) == 1


@pytest.mark.parametrize("trouble", [Behaviour(status=429), Behaviour(status=500), Behaviour(status=503, body=b"<p>")])
async def test_what_may_pass_is_tried_once_more(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, trouble: Behaviour
) -> None:
    vendor.will(trouble)
    samples, _ = await spoken(engine)
    assert (len(samples), len(vendor.spoken)) == (SOUNDS_S * 8000, 2)


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [
        (Behaviour(status=429, code="too_many_concurrent_requests"), RateLimited),
        (Behaviour(status=500), UpstreamFailed),
        (Behaviour(cut_after=0), UpstreamFailed),
        (Behaviour(end_after=0), UpstreamFailed),
        (Behaviour(body=b"\x00\xff garbage\n{}\n[1]\n"), UpstreamFailed),
        (Behaviour(body=b'{"audio_base64": "!!!"}\n'), UpstreamFailed),
        (Behaviour(body=b'{"audio_base64": 5, "alignment": "x"}\n'), UpstreamFailed),
    ],
)
async def test_what_does_not_pass_is_told_after_the_second_try(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, trouble: Behaviour, raised: type[ScrizaError]
) -> None:
    vendor.will(trouble, trouble)
    with pytest.raises(raised):
        await spoken(engine)
    assert len(vendor.spoken) == 2


async def test_a_vendor_that_asks_for_patience_is_not_asked_again(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(status=429, headers={"retry-after": "30"}))
    with pytest.raises(RateLimited) as caught:
        await spoken(engine)
    assert (caught.value.retry_after, len(vendor.spoken)) == (30, 1)


@pytest.mark.parametrize(
    "trouble", [Behaviour(cut_after=2), Behaviour(end_after=2), Behaviour(drop=2), Behaviour(drop=4)]
)
async def test_after_the_first_audio_nothing_is_tried_again_and_a_hole_is_noticed(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, trouble: Behaviour
) -> None:
    vendor.will(trouble)
    pieces = engine.synthesize(Speak(TEXT), 8000)
    assert len((await anext(pieces))[0])
    with pytest.raises(UpstreamFailed):
        async for _ in pieces:
            pass
    assert len(vendor.spoken) == 1


@pytest.mark.parametrize(
    ("trouble", "patience"),
    [
        (Behaviour(first_s=60), Patience(first_s=1, next_s=60)),
        (Behaviour(stall_after=0), Patience(first_s=1, next_s=60)),
        (Behaviour(stall_after=1), Patience(first_s=60, next_s=0.1)),
    ],
)
async def test_a_vendor_that_stalls_is_left_in_time(
    opened: Opened, vendor: ElevenLabsStandIn, trouble: Behaviour, patience: Patience
) -> None:
    vendor.will(trouble)
    async with asyncio.timeout(20):
        with pytest.raises(DeadlineExceeded):
            await spoken(opened(patience=patience))
    await eventually(vendor.spoken[0].disconnected.is_set)


async def test_a_key_that_is_not_accepted_is_known_by_name_at_warm_up(opened: Opened) -> None:
    with pytest.raises(Unavailable, match="does not accept ELEVENLABS_API_KEY: it answered 401 invalid_api_key"):
        await opened(key="another").warm_up()


async def test_a_vendor_that_cannot_be_reached_has_failed(opened: Opened) -> None:
    with listening_socket() as bound:
        engine = opened(url=f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(UpstreamFailed, match="no connection"):
            await spoken(engine)


async def test_a_vendor_whose_encryption_fails_has_failed(opened: Opened, vendor: ElevenLabsStandIn) -> None:
    engine = opened(url=vendor.url.replace("http:", "https:"))
    with pytest.raises(UpstreamFailed, match="no secure connection"):
        await spoken(engine)


async def test_a_voice_that_would_change_the_path_is_refused(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    with pytest.raises(BadInput):
        await spoken(engine, Speak(TEXT, voice_id="../../v1/models?x="))
    assert vendor.spoken == []


async def test_many_clips_at_once_do_not_mix(engine: ElevenLabsEngine) -> None:
    texts = [f"This is clip number {number}." for number in range(20)]
    clips = await asyncio.gather(*(spoken(engine, Speak(text)) for text in texts))
    for text, (samples, words) in zip(texts, clips, strict=True):
        assert mulaw.encode(samples) == sound(text, "ulaw_8000").replace(b"\x7f", b"\xff")
        assert words[-1].chars == len(text)
