"""`WS /v1/stream-speak` as its page tells it: plain JSON messages over a bare socket, behind the edge."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Tts
from scriza.wire import serve
from scriza_adapters.objects_directory import DirectoryObjects
from tests.serving import serving
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told

TOKEN = "a-service-token"


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[ClientConnection]:
    objects = DirectoryObjects(tmp_path, url="http://here", key="secret")
    service = TtsService([ToneEngine()], objects, Told())
    app = edge_around([behind(Bearer(), serve(Tts, service))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        address = f"ws{url.removeprefix('http')}/v1/stream-speak"
        async with connect(address, additional_headers={"authorization": f"Bearer {TOKEN}"}) as opened:
            yield opened
    await service.close()


async def say(socket: ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def heard(socket: ClientConnection) -> list[dict[str, Any]]:
    told = []
    with suppress(ConnectionClosedError):
        async for message in socket:
            told.append(json.loads(message))  # noqa: PERF401 # what came before an error counts
    return told


async def test_texts_go_in_and_frames_and_words_come_out(socket: ClientConnection) -> None:
    await say(
        socket,
        {"type": "start", "voice_id": "", "tone": "calm", "locale": "en-US", "call_id": "CA1"},
        {"type": "text", "text": "one ", "context": "a"},
        {"type": "text", "text": "two", "context": "a"},
        {"type": "flush", "context": "a"},
        {"type": "text", "text": "never heard", "context": "b"},
        {"type": "cancel", "context": "b"},
        {"type": "end"},
    )
    told = await heard(socket)
    audio = b"".join(base64.b64decode(item["payload"]) for item in told if item["type"] == "audio")
    words = [word for item in told if item["type"] == "words" for word in item["words"]]
    assert len(audio) == 1600
    assert words == [
        {"start_ms": 0, "end_ms": 100, "chars": 3},
        {"start_ms": 100, "end_ms": 200, "chars": 7},
    ]
    assert [item for item in told if item["type"] == "done"] == [
        {"type": "done", "duration": 0.2, "characters": 7, "context": "a", "cancelled": False},
        {"type": "done", "duration": 0.0, "characters": 0, "context": "b", "cancelled": True},
    ]
    assert socket.close_code == 1000


@pytest.mark.parametrize(
    "message", ['{"type": "say", "text": "one"}', '{"type": "text"}', "one", '{"type": "text", "text": 5}']
)
async def test_what_is_no_message_is_told_and_closes_the_socket(socket: ClientConnection, message: str) -> None:
    await say(socket, {"type": "start"})
    await socket.send(message)
    [error] = await heard(socket)
    assert (error["type"], error["status"], socket.close_code) == ("error", 400, 4400)
