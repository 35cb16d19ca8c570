"""A stand-in for ElevenLabs' text to speech: real HTTP, deterministic, and as bad as a test wants it.

It speaks the protocol of https://elevenlabs.io/docs/api-reference/text-to-speech: the stream, the stream with
timestamps, the socket with several contexts, and the list of models; a field or query name that the vendor does not
document is refused with 422. What it answers next is queued with `will`; with an empty queue it answers `default`.
Every character sounds for 50 ms.
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
from tests.standins.elevenlabs_shapes import RATES, SOCKET_QUERY, STREAM_QUERY, Misshapen, check_body, check_query
from tests.standins.elevenlabs_socket import ContextSocket

CHARACTER_S = 0.05
VOICES = {"EXAVITQu4vr4xnSDxMaL", "JBFqnCBsd6RMkjVDRZzb", "Xb7hH8MSUJpSbSDYk0k2", "IKne3meq5aSn9XLyUdCD"}


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
    close_error: str = ""
    """On a socket: the error that is told, with the context's name, when the context is closed before it is over."""
    status: int = 200
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    """Sent as it is instead of an answer."""
    content_type: str = ""
    """Instead of the right one."""


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
        self.sockets = 200
        """How it answers who wants a socket: 200 opens it, another status refuses it."""
        self.opened = 0
        """How many sockets were opened."""
        self.live: set[asyncio.Task[Any]] = set()
        """What serves the sockets that are open."""
        self.requests: list[Request] = []
        self.url = ""
        self._queued: deque[Behaviour] = deque()

    @property
    def spoken(self) -> list[Request]:
        return [request for request in self.requests if "/text-to-speech/" in request.path]

    def will(self, *behaviours: Behaviour) -> None:
        """Behave so for the next texts, in this order."""
        self._queued.extend(behaviours)

    def cut_sockets(self) -> None:
        """Break all sockets that are open."""
        for task in self.live:
            task.cancel()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
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
            try:
                check_query(request.query, STREAM_QUERY)
                check_body(request.body)
            except Misshapen as problem:
                refusal = {"detail": [{"loc": ["body"], "msg": str(problem), "type": "extra_forbidden"}]}
                await _whole(send, 422, json.dumps(refusal).encode())
                return
            if kind == "stream/with-timestamps" and not self.timestamps:
                await _whole(send, 404, b'{"detail": "Not Found"}')
            elif voice not in VOICES:
                await _refuse(send, 404, "voice_not_found")
            else:
                behaviour = self._queued.popleft() if self._queued else self.default
                await self._speak(request, behaviour, send, timed=kind == "stream/with-timestamps")
        else:
            await _whole(send, 404, b'{"detail": "Not Found"}')

    async def _socket(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode())
        voice = scope["path"].removeprefix("/v1/text-to-speech/").removesuffix("/multi-stream-input")
        status, code = self.sockets, ""
        if headers.get("xi-api-key") != self.key:
            status, code = 401, "invalid_api_key"
        elif voice not in VOICES:
            status, code = 404, "voice_not_found"
        try:
            check_query(query, SOCKET_QUERY)
        except Misshapen:
            status = 422
        if status != 200:
            refusal = [(b"content-type", b"application/json")]
            await send({"type": "websocket.http.response.start", "status": status, "headers": refusal})
            body = json.dumps({"detail": {"status": code, "message": "sk_secret"}}).encode() if code else b""
            await send({"type": "websocket.http.response.body", "body": body})
            return
        await send({"type": "websocket.accept"})

        def ordered(asked: dict[str, Any]) -> tuple[Request, Behaviour]:
            request = Request(scope["path"], query, headers, asked, scope["client"][1])
            self.requests.append(request)
            return request, self._queued.popleft() if self._queued else self.default

        output_format = query.get("output_format", ["ulaw_8000"])[0]
        socket = ContextSocket(receive, send, ordered, lambda text: sound(text, output_format), CHARACTER_S)
        self.opened += 1
        serving_it = asyncio.ensure_future(socket.serve())
        self.live.add(serving_it)
        try:
            await asyncio.wait([serving_it])
            if serving_it.cancelled():
                raise ConnectionAbortedError("as the test wants it")
            serving_it.result()
        finally:
            self.live.discard(serving_it)
            serving_it.cancel()

    async def _speak(self, request: Request, behaviour: Behaviour, send: Any, *, timed: bool) -> None:
        await asyncio.sleep(behaviour.first_s)
        if behaviour.status != 200:
            await _refuse(send, behaviour.status, behaviour.code, behaviour.headers, behaviour.body)
            return
        kind = b"application/json" if timed else b"audio/basic"
        kind = behaviour.content_type.encode() or kind
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
        pieces.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")
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
