"""Whatever ElevenLabs does, the caller hears every word within three seconds, and the log says once what it was."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone, SpokenWords
from scriza_adapters.elevenlabs.client import ElevenLabs, Way
from scriza_adapters.elevenlabs.engine import ElevenLabsEngine
from scriza_adapters.elevenlabs.order import Patience
from scriza_adapters.objects_directory import DirectoryObjects
from tests.serving import listening_socket
from tests.standins.elevenlabs import Behaviour, ElevenLabsStandIn, standing_in
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.waiting import eventually

TEXT = "The price of plan seven is ten dollars"
KEY = "sk_secret"
PATIENT = Patience(first_s=2, next_s=2)
SHORT = Patience(first_s=0.5, next_s=5)
STEADY = Patience(first_s=2, next_s=0.5)


@pytest.fixture(scope="module", autouse=True)
def _sdk_is_loaded() -> None:
    """As it is once a process has warmed up; otherwise the import takes the time that the vendor has."""
    for name in ("elevenlabs", "elevenlabs.client", "elevenlabs.text_to_speech.client", "elevenlabs.types"):
        importlib.import_module(name)


@dataclass
class Fault:
    name: str
    detail: str
    """What the log line says of it, and nothing more private."""
    behaviour: Behaviour | None = None
    key: str = KEY
    voice: str = ""
    patience: Patience = PATIENT
    url: Callable[[str], str] = field(default=lambda url: url)


def refused(url: str) -> str:
    with listening_socket() as bound:
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


FAULTS = [
    Fault("refused connection", "no connection to ElevenLabs", url=refused),
    Fault("encryption fails", "no secure connection to ElevenLabs", url=lambda url: url.replace("http:", "https:")),
    Fault("slow headers", "took too long", Behaviour(first_s=60), patience=SHORT),
    Fault("stall before the first audio", "took too long", Behaviour(stall_after=0), patience=SHORT),
    Fault("stall in the middle", "took too long", Behaviour(stall_after=3), patience=STEADY),
    Fault("cut off at the start", "RemoteProtocolError", Behaviour(cut_after=0)),
    Fault("cut off in the middle", "RemoteProtocolError", Behaviour(cut_after=3)),
    Fault("ended too early", "broke off its answer", Behaviour(end_after=3)),
    Fault("wrong content type", "another content type", Behaviour(body=b"<p>hello</p>", content_type="text/html")),
    Fault("broken JSON", "something else", Behaviour(body=b'{"audio_base64": \n\n{{{\n')),
    Fault("broken JSON in the middle", "something else", Behaviour(drop=3)),
    Fault("audio that is none", "something else", Behaviour(body=b'{"audio_base64": "!!!"}\n')),
    Fault("empty audio", "no audio", Behaviour(body=b'{"audio_base64": ""}\n')),
    Fault("no body at all", "no audio", Behaviour(end_after=0)),
    Fault("401", "does not accept ELEVENLABS_API_KEY: it answered 401 invalid_api_key", key="sk_secret2"),
    Fault("401 quota", "401 quota_exceeded", Behaviour(status=401, code="quota_exceeded")),
    Fault("402 quota", "402 payment_required", Behaviour(status=402, code="payment_required")),
    Fault("404 voice", "404 voice_not_found", voice="NoSuchVoice"),
    Fault("429", "429 too_many_concurrent_requests", Behaviour(status=429, code="too_many_concurrent_requests")),
    Fault("429, retry later", "429 busy", Behaviour(status=429, code="busy", headers={"retry-after": "60"})),
    Fault("500 burst", "500 internal_error", Behaviour(status=500, code="internal_error")),
    Fault("503 of a proxy", "answered 503", Behaviour(status=503, body=b"<html>sk_secret</html>")),
]
SOCKET_FAULTS = [
    Fault("refused connection", "no connection to ElevenLabs", url=refused),
    Fault("encryption fails", "no secure connection to ElevenLabs", url=lambda url: url.replace("http:", "https:")),
    Fault("stall in the middle", "took too long", Behaviour(stall_after=3), patience=STEADY),
    Fault("cut off in the middle", "closed the socket", Behaviour(cut_after=3)),
    Fault("ended too early", "broke off its answer", Behaviour(end_after=3)),
    Fault("broken JSON in the middle", "something else", Behaviour(drop=3)),
    Fault("401", "does not accept ELEVENLABS_API_KEY: it answered 401 invalid_api_key", key="sk_secret2"),
    Fault("401 quota", "401 quota_exceeded", Behaviour(status=401, code="quota_exceeded")),
    Fault("404 voice", "404 voice_not_found", voice="NoSuchVoice"),
]
CASES = [(fault, way) for faults, way in ((FAULTS, "timed"), (SOCKET_FAULTS, "socket")) for fault in faults]


@asynccontextmanager
async def speech(
    vendor: ElevenLabsStandIn, tmp_path: Path, fault: Fault, way: Way
) -> AsyncIterator[tuple[TtsService, ToneEngine]]:
    client = ElevenLabs(fault.key, base_url=fault.url(vendor.url), way=way, patience=fault.patience)
    own = ToneEngine("own")
    objects = DirectoryObjects(tmp_path, url="http://here", key="secret")
    service = TtsService([ElevenLabsEngine(client), own], objects, Told())
    try:
        yield service, own
    finally:
        await service.close()
        await client.close()
        await objects.close()


def ours() -> set[str]:
    """Tasks that a client may have left behind."""
    return {task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(("elevenlabs", "tts"))}


def told(lines: list[Any], event: str) -> list[dict[str, str]]:
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize(("fault", "way"), CASES, ids=[f"{way}: {fault.name}" for fault, way in CASES])
async def test_the_caller_hears_every_word_and_the_log_says_what_it_was(fault: Fault, way: Way, tmp_path: Path) -> None:
    async with standing_in(ElevenLabsStandIn(key=KEY, default=fault.behaviour or Behaviour())) as vendor:
        loop = asyncio.get_running_loop()
        began, first, audio, chars = loop.time(), 0.0, 0, [0]
        with capture_logs() as lines:
            async with speech(vendor, tmp_path, fault, way) as (tts, own):
                async for part in tts.stream_speak(Speak(TEXT, voice_id=fault.voice)):
                    match part:
                        case SpokenAudio(payload):
                            first = first or loop.time() - began
                            audio += len(payload)
                        case SpokenWords(words):
                            chars += [word.chars for word in words]
                        case SpokenDone(duration=duration, cache_hit=cache_hit):
                            assert (audio, cache_hit) == (round(duration * 8000), False)
                assert own.asked
                assert all(request.text in TEXT for request in own.asked)
        assert first < 3
        assert chars == sorted(set(chars)), "no word is told twice"
        assert chars[-1] == len(TEXT)
        [line] = told(lines, "provider.failed")
        assert fault.detail in line["detail"]
        assert line["provider"] == "elevenlabs"
        assert "sk_secret" not in str(lines)
        assert "plan seven" not in str(lines)
        await eventually(lambda: not ours())
        await eventually(lambda: not vendor.live)


@pytest.mark.parametrize("way", ["timed", "plain", "socket"])
async def test_a_key_that_is_wrong_is_told_at_start_once_and_by_name(way: Way) -> None:
    async with standing_in(ElevenLabsStandIn(key="another")) as vendor:
        client = ElevenLabs(KEY, base_url=vendor.url, way=way)
        engines = [ElevenLabsEngine(client), ElevenLabsEngine(client, name="second"), ToneEngine()]
        with capture_logs() as lines:
            service = TtsService(engines, DirectoryObjects(Path("/nowhere"), url="", key="k"), Told())
            await service.warm_up()
        [line] = [line for line in lines if line["log_level"] == "error"]
        assert "ELEVENLABS_API_KEY" in line["detail"]
        assert KEY not in str(lines)
        await service.close()
        await client.close()


async def test_after_a_storm_the_vendor_speaks_again(tmp_path: Path) -> None:
    async with (
        standing_in(ElevenLabsStandIn(key=KEY)) as vendor,
        speech(vendor, tmp_path, Fault("", ""), "timed") as (tts, own),
    ):
        vendor.will(*[Behaviour(status=500)] * 2)
        for number in range(2):
            await tts.speak(Speak(f"plan {number}", format="mulaw"))
        assert len(own.asked) == 1
        assert (await tts.speech_cache()).engines["elevenlabs"] == "closed"
