"""A scripted server on the other side of the simulated carrier: answers webhooks with TwiML, and minds its sockets."""

import contextlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from litestar import Litestar, Request, Response, WebSocket, route
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import websocket
from litestar.params import FromPath

from scriza.audio.mulaw import Samples, encode
from tests.serving import serving

Form = dict[str, str]
Socket = WebSocket[Any, Any, Any]


def tone(ms: int, hertz: int = 440) -> Samples:
    time = np.arange(ms * 8) / 8000
    return (8000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


async def beeping_voice(text: str, voice: str) -> Samples:
    """60 ms a letter, and 50 ms of silence at both ends, as speech engines have it."""
    pad = np.zeros(400, np.int16)
    return np.concatenate([pad, tone(60 * len(text), 300 + 20 * len(voice)), pad])


class Line:
    """The server's end of a media socket."""

    def __init__(self, socket: Socket, start: dict[str, Any]) -> None:
        self.socket, self.start = socket, start
        self.sid: str = start["streamSid"]
        self.received: list[dict[str, Any]] = []

    async def send(self, event: str, **fields: Any) -> None:
        await self.socket.send_text(json.dumps({"event": event, "streamSid": self.sid, **fields}))

    async def speak(self, audio: Samples | bytes) -> None:
        payload = audio if isinstance(audio, bytes) else encode(audio)
        await self.send("media", media={"payload": b64encode(payload).decode()})

    async def mark(self, name: str) -> None:
        await self.send("mark", mark={"name": name})

    async def next(self, event: str) -> dict[str, Any]:
        """The next message of that kind; the others are kept in `received`."""
        while True:
            message = json.loads(await self.socket.receive_text())
            self.received.append(message)
            if message["event"] == event:
                return message


Twiml = Callable[[Form], str | Response[Any]]


class Parrot:
    """`twiml` answers each path's webhooks, `talk` drives each media socket and closes it by returning."""

    def __init__(self) -> None:
        self.url = ""
        self.twiml: dict[str, Twiml] = {}
        self.talk: Callable[[Line], Awaitable[None]] = _only_listen
        self.requests: list[tuple[str, Form, dict[str, str]]] = []
        """Path, form and headers of every webhook, in the order of arrival."""
        self.handshakes: list[tuple[str, dict[str, str]]] = []
        """Token and headers of every socket."""
        self.lines: list[Line] = []

    def stream(self, token: str = "token", inside: str = "") -> str:
        """TwiML of a stream to this server; the token `refused` is."""
        return f'<Stream url="{self.url.replace("http", "ws")}/stream/{token}">{inside}</Stream>'

    def answer(self, path: str, *bodies: str | Response[Any]) -> None:
        """These one after the other, the last one again and again; strings are what is inside `<Response>`."""
        left = list(bodies)

        def next_one(form: Form) -> str | Response[Any]:
            return left.pop(0) if len(left) > 1 else left[0]

        self.twiml[path] = next_one

    def forms(self, path: str) -> list[Form]:
        return [form for at, form, _ in self.requests if at == path]

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Parrot"]:
        async with serving(Litestar([self._webhook(), self._socket()])) as url:
            self.url = url
            yield self

    def _webhook(self) -> Any:
        @route("/{path:path}", http_method=["GET", "POST"])
        async def webhook(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[Any]:
            form = {key: str(value) for key, value in (await request.form()).items()} | dict(request.query_params)
            self.requests.append((path, form, dict(request.headers)))
            answer = self.twiml.get(path, lambda _: "")(form)
            if isinstance(answer, Response):
                return answer
            return Response(f"<Response>{answer}</Response>", media_type="application/xml", status_code=200)

        return webhook

    def _socket(self) -> Any:
        @websocket("/stream/{token:str}")
        async def media(socket: Socket, token: FromPath[str]) -> None:
            self.handshakes.append((token, dict(socket.headers)))
            if token == "refused":
                await socket.close(1008)
                return
            await socket.accept()
            assert json.loads(await socket.receive_text())["event"] == "connected"
            start = json.loads(await socket.receive_text())
            line = Line(socket, start)
            self.lines.append(line)
            await self.talk(line)
            with contextlib.suppress(WebSocketDisconnect):
                await socket.close()

        return media


async def _only_listen(line: Line) -> None:
    await line.next("stop")
