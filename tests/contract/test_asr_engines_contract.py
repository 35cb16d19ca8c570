"""The recogniser's door with the real engines behind it; faster-whisper and whisper.cpp have canned models."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from websockets.asyncio.client import connect

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.audio.wav import encode_wav
from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.modules.asr.engine import Engine
from scriza.modules.asr.service import AsrService
from scriza.ports.asr import Asr, Audio, Final, Finalize, Start, Stop, Transcribe, Transcript
from scriza.wire import serve
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.espeak.voices import installed
from scriza_adapters.sphinx.engine import PocketsphinxEngine
from scriza_adapters.whisper.engine import WhisperEngine
from scriza_adapters.whisper_cpp.engine import WhisperCppEngine
from tests.contract.doors import TOKEN, Doors
from tests.serving import serving
from tests.standins.canned_ggml import build_canned_ggml
from tests.standins.canned_whisper import SENTENCE, build_canned_whisper
from tests.standins.teller import Told

PHRASES = ["what does it do", "how much does it cost per month", "thank you goodbye", "can i book a demo"]

pytestmark = [
    pytest.mark.skipif(not installed(), reason="speaking needs espeakng-loader (pip install 'scriza[embedded]')"),
    pytest.mark.xdist_group("sphinx"),
]


class Listener(NamedTuple):
    """A service with a real engine, audio for it, and what it has to hear in that."""

    service: AsrService
    samples: Samples
    text: str


@pytest.fixture(scope="session")
def canned_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_canned_whisper(tmp_path_factory.mktemp("whisper") / "canned")


@pytest.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    worker = espeak_worker()
    yield EspeakVoice(worker)
    await worker.close()


@pytest.fixture(scope="session")
def canned_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_canned_ggml(tmp_path_factory.mktemp("whisper-cpp") / "canned.bin")


@pytest.fixture(params=["pocketsphinx", "faster-whisper", "whisper-cpp"])
async def listener(
    request: pytest.FixtureRequest, canned_model: Path, canned_file: Path, voice: EspeakVoice
) -> AsyncIterator[Listener]:
    engines: dict[str, Callable[[], Engine]] = {
        "pocketsphinx": PocketsphinxEngine,
        "faster-whisper": lambda: WhisperEngine(canned_model),
        "whisper-cpp": lambda: WhisperCppEngine(canned_file, threads=1, window_s=5.0),
    }
    service = AsrService(engines[request.param](), Told())
    await service.start()
    samples = await voice.samples("how much does it cost per month")
    yield Listener(service, samples, PHRASES[1] if request.param == "pocketsphinx" else SENTENCE)
    await service.close()


async def test_a_recording_is_understood(doors: Doors, listener: Listener) -> None:
    async with doors(Asr, listener.service) as asr:
        by_mulaw = await asr.transcribe(Transcribe(mulaw.encode(listener.samples), phrases=PHRASES))
        by_wav = await asr.transcribe(Transcribe(encode_wav(listener.samples, 8000), phrases=PHRASES, language="en-IN"))
    for transcript in (by_mulaw, by_wav):
        assert transcript.text == " ".join(word.word for word in transcript.words) == listener.text
        assert 0 < transcript.confidence <= 1
        assert all(0 < word.confidence <= 1 for word in transcript.words)
        times = [time for word in transcript.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[-1] <= len(listener.samples) / 8000 + 0.05


async def test_nothing_is_understood_where_nothing_is_said(doors: Doors, listener: Listener) -> None:
    async with doors(Asr, listener.service) as asr:
        for audio in (mulaw.silence(40), mulaw.silence(40_000)):
            assert await asr.transcribe(Transcribe(audio, phrases=PHRASES)) == Transcript("", 0.0, [])


async def test_a_call_is_understood_turn_by_turn(doors: Doors, listener: Listener) -> None:
    encoded = mulaw.encode(listener.samples)

    async def blocks() -> AsyncIterator[Audio | Finalize | Stop]:
        for _ in range(2):
            for start in range(0, len(encoded), 800):
                yield Audio(encoded[start : start + 800])
            yield Finalize()
        yield Stop()

    async with doors(Asr, listener.service) as asr:
        items = [item async for item in asr.stream(Start(phrases=PHRASES, language="en"), blocks())]
    first, second = [item for item in items if isinstance(item, Final)]
    assert (first.text, second.text) == (listener.text, listener.text)
    assert second.start == first.end == round(len(encoded) / 8000, 3)
    assert first.words[0].start < first.words[-1].end <= second.words[0].start + 0.05


@asynccontextmanager
async def served(service: AsrService) -> AsyncIterator[str]:
    app = edge_around([behind(Bearer(), serve(Asr, service))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        yield url


@pytest.mark.parametrize("form", ["binary", "base64"])
async def test_the_socket_takes_audio_as_bytes_and_as_text(listener: Listener, form: str) -> None:
    encoded = mulaw.encode(listener.samples)
    opening = {"type": "start", "call_id": "CA1", "language": "en", "encoding": "mulaw", "sample_rate": 8000}
    async with (
        served(listener.service) as url,
        connect(f"ws{url[4:]}/v1/stream", additional_headers={"authorization": f"Bearer {TOKEN}"}) as socket,
    ):
        await socket.send(json.dumps(opening | {"phrases": PHRASES}))
        for start in range(0, len(encoded), 1600):
            block = encoded[start : start + 1600]
            payload = base64.b64encode(block).decode()
            await socket.send(block if form == "binary" else json.dumps({"type": "audio", "payload": payload}))
        await socket.send('{"type": "finalize"}')
        messages = [json.loads(await socket.recv())]
        while messages[-1]["type"] == "partial":
            messages.append(json.loads(await socket.recv()))
        await socket.send('{"type": "stop"}')
        assert [message async for message in socket] == []
        assert socket.close_code == 1000
    final = messages[-1]
    assert (final["type"], final["text"]) == ("final", listener.text)
    assert (final["start"], final["end"]) == (0.0, round(len(encoded) / 8000, 3))
    assert final["words"][0].keys() == {"word", "start", "end", "confidence"}


@pytest.mark.parametrize("form", ["body", "base64"])
async def test_a_recording_is_taken_as_a_body_and_as_text(listener: Listener, form: str) -> None:
    encoded = mulaw.encode(listener.samples)
    async with served(listener.service) as url, httpx.AsyncClient(timeout=30) as client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        if form == "body":
            answer = await client.post(
                f"{url}/v1/transcribe",
                content=encoded,
                params={"phrases": PHRASES, "language": "en"},
                headers=headers | {"content-type": "audio/basic"},
            )
        else:
            told = {"audio": base64.b64encode(encoded).decode(), "phrases": PHRASES, "language": "en"}
            answer = await client.post(f"{url}/v1/transcribe", json=told, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["text"] == listener.text
    assert answer.json().keys() == {"text", "confidence", "words"}


async def test_what_cannot_be_taken_is_told_on_the_socket(listener: Listener) -> None:
    async with (
        served(listener.service) as url,
        connect(f"ws{url[4:]}/v1/stream", additional_headers={"authorization": f"Bearer {TOKEN}"}) as socket,
    ):
        await socket.send('{"type": "start", "language": "tlh"}')
        told = json.loads(await socket.recv())
        assert (told["type"], told["title"]) == ("error", "The request is not valid")
        assert "tlh" in told["detail"] or "English only" in told["detail"]
