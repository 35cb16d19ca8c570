"""A stand-in for ElevenLabs' text to speech: real HTTP, deterministic, and as bad as a test wants it.

It speaks the protocol of https://elevenlabs.io/docs/api-reference/text-to-speech: the stream, the stream with
timestamps, and the list of models. What it answers next is queued with `will`; with an empty queue it answers
`default`. Every character sounds for 50 ms.
"""

import argparse
import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import uvicorn

from scriza.audio import mulaw
from tests.serving import serving

CHARACTER_S = 0.05
RATES = {"ulaw_8000": 8000, "pcm_22050": 22050, "pcm_16000": 16000}
VOICES = {"EXAVITQu4vr4xnSDxMaL", "JBFqnCBsd6RMkjVDRZzb"}


@dataclass
class Behaviour:
    """How one answer goes. Times are in seconds."""

    first_s: float = 0.0
    gap_s: float = 0.0
    characters: int = 5
    """How many characters are told with one piece."""
    alignment: bool = True
    stall_after: int | None = None
    """Says nothing more after so many pieces."""
    cut_after: int | None = None
    """Breaks the connection after so many pieces."""
    end_after: int | None = None
    """Ends the answer neatly after so many pieces."""
    drop: int | None = None
    """Sends garbage in the place of this piece."""
    status: int = 200
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    """Sent as it is instead of an answer."""


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: dict[str, Any]
    port: int
    """The client's: the same port is the same connection."""
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """The client closed the connection before the answer was complete."""


class ElevenLabsStandIn:
    """An ASGI application; see `standing_in`."""

    def __init__(self, *, key: str = "key", default: Behaviour | None = None, timestamps: bool = True) -> None:
        self.key = key
        self.default = default or Behaviour()
        self.timestamps = timestamps
        """Whether it knows the streams with timestamps."""
        self.requests: list[Request] = []
        self.url = ""
        self._queued: deque[Behaviour] = deque()

    @property
    def spoken(self) -> list[Request]:
        return [request for request in self.requests if "/text-to-speech/" in request.path]

    def will(self, *behaviours: Behaviour) -> None:
        """Behave so for the next texts, in this order."""
        self._queued.extend(behaviours)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (event := await receive())["type"] == "http.request":
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode())
        request = Request(scope["path"], query, headers, json.loads(body or b"{}"), scope["client"][1])
        self.requests.append(request)
        answering = asyncio.ensure_future(self._answer(request, send))
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            request.disconnected.set()
            answering.cancel()
        leaving.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        if not answering.cancelled():
            answering.result()

    async def _answer(self, request: Request, send: Any) -> None:
        if request.headers.get("xi-api-key") != self.key:
            await _refuse(send, 401, "invalid_api_key")
        elif request.path == "/v1/models":
            await _whole(send, 200, json.dumps([{"model_id": "eleven_flash_v2_5", "name": "Flash"}]).encode())
        elif request.path.startswith("/v1/text-to-speech/"):
            voice, _, kind = request.path.removeprefix("/v1/text-to-speech/").partition("/")
            if kind == "stream/with-timestamps" and not self.timestamps:
                await _whole(send, 404, b'{"detail": "Not Found"}')
            elif voice not in VOICES:
                await _refuse(send, 404, "voice_not_found")
            else:
                behaviour = self._queued.popleft() if self._queued else self.default
                await self._speak(request, behaviour, send, timed=kind == "stream/with-timestamps")
        else:
            await _whole(send, 404, b'{"detail": "Not Found"}')

    async def _speak(self, request: Request, behaviour: Behaviour, send: Any, *, timed: bool) -> None:
        await asyncio.sleep(behaviour.first_s)
        if behaviour.status != 200:
            await _refuse(send, behaviour.status, behaviour.code, behaviour.headers, behaviour.body)
            return
        kind = b"application/json" if timed else b"audio/basic"
        headers = [(b"content-type", kind), (b"request-id", b"standin")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if behaviour.body:
            await _piece(send, behaviour.body)
        for number, piece in enumerate([] if behaviour.body else _pieces(request, behaviour, timed)):
            if number == behaviour.stall_after:
                await asyncio.Event().wait()
            if number == behaviour.cut_after:
                raise ConnectionAbortedError("as the test wants it")
            if number == behaviour.end_after:
                break
            await _piece(send, b"\x00garbage\n" if number == behaviour.drop else piece)
            await asyncio.sleep(behaviour.gap_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def sound(text: str, output_format: str) -> bytes:
    """What a text sounds like."""
    rate = RATES[output_format]
    tones = [np.sin(np.arange(int(rate * CHARACTER_S)) * (0.1 + ord(each) % 50 / 100)) for each in text]
    samples = (np.concatenate(tones) * 8000).astype(np.int16)
    return mulaw.encode(samples) if output_format == "ulaw_8000" else samples.astype("<i2").tobytes()


def _pieces(request: Request, behaviour: Behaviour, timed: bool) -> list[bytes]:
    text, output_format = request.body["text"], request.query["output_format"][0]
    pieces = []
    for start in range(0, len(text), behaviour.characters):
        told = text[start : start + behaviour.characters]
        audio = sound(told, output_format)
        if not timed:
            pieces.append(audio)
            continue
        alignment = {
            "characters": list(told),
            "character_start_times_seconds": [(start + place) * CHARACTER_S for place in range(len(told))],
            "character_end_times_seconds": [(start + place + 1) * CHARACTER_S for place in range(len(told))],
        }
        line = {
            "audio_base64": base64.b64encode(audio).decode(),
            "alignment": alignment if behaviour.alignment else None,
            "normalized_alignment": alignment if behaviour.alignment else None,
        }
        pieces.append(json.dumps(line).encode() + b"\n")
    return pieces


async def _piece(send: Any, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _refuse(send: Any, status: int, code: str, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
    refusal = {"detail": {"status": code, "message": "something private: sk_secret"}}
    await _whole(send, status, body or json.dumps(refusal).encode(), headers)


async def _whole(send: Any, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    sent.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@asynccontextmanager
async def standing_in(standin: ElevenLabsStandIn) -> AsyncIterator[ElevenLabsStandIn]:
    """Serve it; `url` is the base URL for a client."""
    async with serving(standin, log_level="critical", lifespan="off") as standin.url:
        yield standin


def main() -> None:
    """Run the stand-in as a process of its own, for benchmarks and demonstrations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--key", default="key")
    parser.add_argument("--first-s", type=float, default=0.0)
    parser.add_argument("--gap-s", type=float, default=0.0)
    told = parser.parse_args()
    standin = ElevenLabsStandIn(key=told.key, default=Behaviour(first_s=told.first_s, gap_s=told.gap_s))
    uvicorn.run(standin, port=told.port, lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()
