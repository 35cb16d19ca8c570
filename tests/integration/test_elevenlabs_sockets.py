"""The sockets to ElevenLabs that stay open, against a stand-in that keeps the protocol strictly."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from scriza.audio import mulaw
from scriza.kernel.errors import DeadlineExceeded, NotFound, ScrizaError, Unavailable, UpstreamFailed
from scriza.ports.tts import Speak, SpokenWord
from scriza_adapters.elevenlabs.casting import Casting, Manner
from scriza_adapters.elevenlabs.client import ElevenLabs
from scriza_adapters.elevenlabs.engine import ElevenLabsEngine
from scriza_adapters.elevenlabs.order import Dictionary, Order, Patience
from scriza_adapters.elevenlabs.sockets import Address, Sockets
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
    clients: list[ElevenLabs] = []

    def make(
        *, key: str = "sk_secret", patience: Patience | None = None, casting: Casting | None = None, **options: Any
    ) -> ElevenLabsEngine:
        clients.append(ElevenLabs(key, base_url=vendor.url, way="socket", patience=patience or Patience(5, 5)))
        return ElevenLabsEngine(clients[-1], casting, **options)

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def engine(opened: Opened) -> ElevenLabsEngine:
    return opened()


async def spoken(engine: ElevenLabsEngine, request: Speak | None = None) -> tuple[bytes, list[SpokenWord]]:
    pieces = [piece async for piece in engine.synthesize(request or Speak(TEXT), 8000)]
    samples = np.concatenate([samples for samples, _ in pieces])
    return mulaw.encode(samples), [word for _, words in pieces for word in words]


def heard(text: str) -> bytes:
    return sound(text, "ulaw_8000").replace(b"\x7f", b"\xff")


def ways(vendor: ElevenLabsStandIn) -> list[str]:
    return [request.path.rpartition("/")[2] for request in vendor.spoken]


async def test_a_clip_comes_with_its_words_on_the_clips_own_time(engine: ElevenLabsEngine) -> None:
    audio, words = await spoken(engine)
    assert audio == heard(TEXT)
    assert [TEXT[: word.chars].split()[-1] for word in words] == TEXT.split()
    assert (words[0], words[-1]) == (SpokenWord(0, 250, 5), SpokenWord(1050, 1250, len(TEXT)))


async def test_the_vendor_is_asked_in_its_own_terms(opened: Opened, vendor: ElevenLabsStandIn) -> None:
    engine = opened(
        casting=Casting(tones={"sly": Manner(0.1, 0.2, 0.9, 0.4)}),
        dictionaries=[Dictionary("d1", "v1"), Dictionary("d2")],
    )
    await spoken(engine, Speak(TEXT, voice_id="JBFqnCBsd6RMkjVDRZzb", tone="Sly", locale="hi-IN"))
    [request] = vendor.spoken
    assert request.path == "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/multi-stream-input"
    assert request.headers["xi-api-key"] == "sk_secret"
    assert {name: value for name, [value] in request.query.items()} == {
        "model_id": "eleven_flash_v2_5",
        "output_format": "ulaw_8000",
        "inactivity_timeout": "180",
        "sync_alignment": "true",
        "language_code": "hi",
    }
    assert request.body == {
        "text": TEXT,
        "voice_settings": {"stability": 0.1, "similarity_boost": 0.2, "speed": 0.9, "style": 0.4},
        "pronunciation_dictionary_locators": [
            {"pronunciation_dictionary_id": "d1", "version_id": "v1"},
            {"pronunciation_dictionary_id": "d2"},
        ],
    }


async def test_the_first_clip_finds_a_socket_that_is_open_already(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    await engine.warm_up()
    await eventually(lambda: vendor.opened == 1)
    for _ in range(3):
        await spoken(engine)
    assert vendor.opened == 1


async def test_another_voice_is_prepared_before_its_first_word_is_due(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    await engine.warm_up()
    other = Speak(TEXT, voice_id="JBFqnCBsd6RMkjVDRZzb")
    for _ in range(5):
        engine.prepare(other)
    await eventually(lambda: vendor.opened == 2)
    await spoken(engine, other)
    assert vendor.opened == 2


async def test_many_clips_share_few_sockets_and_do_not_mix(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    vendor.default.gap_s = 0.001
    texts = [f"This is clip number {number}." for number in range(12)]
    clips = await asyncio.gather(*(spoken(engine, Speak(text)) for text in texts))
    for text, (audio, words) in zip(texts, clips, strict=True):
        assert audio == heard(text)
        assert words[-1].chars == len(text)
    assert vendor.opened == 3
    assert set(ways(vendor)) == {"multi-stream-input"}


async def test_leaving_a_clip_closes_its_context_and_keeps_the_socket_for_the_others(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(stall_after=0), Behaviour(gap_s=0.01))
    left = asyncio.create_task(spoken(engine, Speak("This is never heard")))
    await eventually(lambda: len(vendor.spoken) == 1)
    other = asyncio.create_task(spoken(engine))
    await eventually(lambda: len(vendor.spoken) == 2)
    left.cancel()
    assert (await other)[0] == heard(TEXT)
    for _ in range(6):  # more than a socket has contexts, so the one that was left is free again
        await spoken(engine)
    assert vendor.opened == 1


async def test_an_error_about_a_clip_that_was_left_is_nothing_to_the_others(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(stall_after=0, close_error="context_not_found"), Behaviour(gap_s=0.01))
    left = asyncio.create_task(spoken(engine, Speak("This is never heard")))
    await eventually(lambda: len(vendor.spoken) == 1)
    other = asyncio.create_task(spoken(engine))
    await eventually(lambda: len(vendor.spoken) == 2)
    left.cancel()
    assert (await other)[0] == heard(TEXT)
    for _ in range(6):
        await spoken(engine)
    assert (vendor.opened, set(ways(vendor))) == (1, {"multi-stream-input"})


async def test_contexts_that_the_vendor_has_not_closed_yet_take_their_places(
    opened: Opened, vendor: ElevenLabsStandIn
) -> None:
    engine = opened(patience=Patience(first_s=5, next_s=2))
    vendor.will(*[Behaviour(stall_after=1)] * 5)
    told = await asyncio.gather(*(spoken(engine) for _ in range(5)), return_exceptions=True)
    assert [type(failure) for failure in told] == [DeadlineExceeded] * 5
    assert vendor.opened == 1
    assert (await spoken(engine))[0] == heard(TEXT)
    assert vendor.opened == 2


async def test_a_clip_left_in_the_middle_leaves_nothing_behind_for_the_next(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(gap_s=0.01))
    async with aclosing(engine.synthesize(Speak(TEXT), 8000)) as pieces:
        await anext(pieces)
    assert (await spoken(engine, Speak("Something else.")))[0] == heard("Something else.")
    assert vendor.opened == 1


async def test_a_socket_that_broke_is_replaced(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    await spoken(engine)
    vendor.cut_sockets()
    await eventually(lambda: not vendor.live)
    for _ in range(2):  # the first may still meet the broken one, and comes over HTTP then
        assert (await spoken(engine))[0] == heard(TEXT)
    assert vendor.opened == 2


async def test_a_socket_that_breaks_before_the_first_audio_is_made_up_for_over_http(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(cut_after=0))
    assert (await spoken(engine))[0] == heard(TEXT)
    assert ways(vendor) == ["multi-stream-input", "with-timestamps"]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_where_no_socket_is_to_be_had_speech_comes_over_http(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, status: int
) -> None:
    vendor.sockets = status
    if status == 403:
        with pytest.raises(Unavailable):
            await spoken(engine)
        return
    for _ in range(3):
        assert (await spoken(engine))[0] == heard(TEXT)
    assert set(ways(vendor)) == {"with-timestamps"}


@pytest.mark.parametrize(("pause_s", "opened_again"), [(60, 0), (0, 1)])
async def test_after_a_refusal_sockets_are_left_alone_for_a_while(
    engine: ElevenLabsEngine,
    vendor: ElevenLabsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    pause_s: float,
    opened_again: int,
) -> None:
    monkeypatch.setattr("scriza_adapters.elevenlabs.sockets._FIRST_PAUSE_S", pause_s)
    vendor.sockets = 503
    await spoken(engine)
    vendor.sockets = 200
    await spoken(engine)
    assert vendor.opened == opened_again


@pytest.mark.parametrize(
    "trouble",
    [Behaviour(cut_after=2), Behaviour(end_after=2), Behaviour(drop=2), Behaviour(status=500, code="system_error")],
)
async def test_a_hole_after_the_first_audio_is_noticed_and_nothing_is_said_twice(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, trouble: Behaviour
) -> None:
    vendor.will(trouble)
    if trouble.status == 500:
        assert (await spoken(engine))[0] == heard(TEXT)
        return
    with pytest.raises(UpstreamFailed):
        await spoken(engine)
    assert len(vendor.spoken) == 1
    assert (await spoken(engine))[0] == heard(TEXT)


async def test_garbage_before_the_first_audio_is_made_up_for_over_http(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn
) -> None:
    vendor.will(Behaviour(drop=0))
    assert (await spoken(engine))[0] == heard(TEXT)


async def test_a_stall_is_left_in_time_and_the_socket_serves_on(opened: Opened, vendor: ElevenLabsStandIn) -> None:
    engine = opened(patience=Patience(first_s=5, next_s=2))
    vendor.will(Behaviour(stall_after=1))
    async with asyncio.timeout(20):
        with pytest.raises(DeadlineExceeded):
            await spoken(engine)
    assert (await spoken(engine))[0] == heard(TEXT)
    assert vendor.opened == 1


@pytest.mark.parametrize(
    ("code", "raised"),
    [("quota_exceeded", Unavailable), ("voice_not_found", NotFound), ("invalid_api_key", Unavailable)],
)
async def test_a_refusal_on_the_socket_is_told_by_the_vendors_code_alone(
    engine: ElevenLabsEngine, vendor: ElevenLabsStandIn, code: str, raised: type[ScrizaError]
) -> None:
    vendor.will(Behaviour(status=401, code=code))
    with pytest.raises(raised, match=code) as caught:
        await spoken(engine)
    assert "secret" not in repr(caught.value)
    assert len(vendor.spoken) == 1


async def test_a_key_that_is_not_accepted_is_told_by_name(opened: Opened) -> None:
    with pytest.raises(Unavailable, match="ELEVENLABS_API_KEY"):
        await spoken(opened(key="another"))


async def test_closing_leaves_no_task_and_no_socket(opened: Opened, vendor: ElevenLabsStandIn) -> None:
    before = asyncio.all_tasks()
    client = ElevenLabs("sk_secret", base_url=vendor.url, way="socket")
    engine = ElevenLabsEngine(client)
    await spoken(engine)
    engine.prepare(Speak(TEXT, voice_id="JBFqnCBsd6RMkjVDRZzb"))
    await client.close()
    await eventually(lambda: not vendor.live)

    def left() -> list[str]:
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        return [name for name in names if name.startswith("elevenlabs")]

    await eventually(lambda: not left())


async def test_files_are_ordered_over_http(engine: ElevenLabsEngine, vendor: ElevenLabsStandIn) -> None:
    _ = [piece async for piece in engine.synthesize(Speak(TEXT), 22050)]
    assert ways(vendor) == ["with-timestamps"]


async def test_a_socket_on_which_nothing_is_said_is_closed(vendor: ElevenLabsStandIn) -> None:
    sockets = Sockets(vendor.url, "sk_secret", ssl.create_default_context(), idle_s=0.1)
    sockets.prepare(Address("EXAVITQu4vr4xnSDxMaL", "eleven_flash_v2_5", "en"))
    await eventually(lambda: vendor.opened == 1)
    await eventually(lambda: sockets.count == 0)
    await eventually(lambda: not vendor.live)
    await sockets.close()


async def test_there_is_a_bound_on_open_sockets_and_an_idle_one_makes_room(
    vendor: ElevenLabsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scriza_adapters.elevenlabs.sockets.SOCKETS", 1)
    sockets = Sockets(vendor.url, "sk_secret", ssl.create_default_context())
    for voice in ("EXAVITQu4vr4xnSDxMaL", "JBFqnCBsd6RMkjVDRZzb", "Xb7hH8MSUJpSbSDYk0k2"):
        order = Order(TEXT, voice, "eleven_flash_v2_5", "en", Manner())
        async with aclosing(sockets.speak(order)) as chunks:
            assert heard(TEXT) == b"".join([chunk.audio async for chunk in chunks]).replace(b"\x7f", b"\xff")
        if vendor.opened == 1:  # the first one breaks, and takes no place of one that works
            vendor.cut_sockets()
            await eventually(lambda: sockets.count == 0)
    assert (vendor.opened, sockets.count) == (3, 1)
    await sockets.close()
