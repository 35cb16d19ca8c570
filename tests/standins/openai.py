"""A stand-in for OpenAI's chat completions: real HTTP on loopback, deterministic, and as bad as a test wants it.

It speaks the protocol of https://platform.openai.com/docs/api-reference/chat: `POST /chat/completions`, streamed, and
`GET /models`. What it answers next is queued with `will`; with an empty queue it answers `default`.
"""

import argparse
import asyncio
import itertools
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Behaviour:
    """How one completion goes. Times are in seconds."""

    text: str = "Sure, I can help with that."
    tool_calls: list[tuple[str, str]] = field(default_factory=list)
    """(name, arguments as JSON text); the arguments are sent in two pieces."""
    usage: tuple[int, int] | None = (100, 7)
    """Prompt and completion tokens; none for a server that tells no usage."""
    cached_tokens: int = 0
    """So many of the prompt's tokens came from the server's own cache."""
    headers_s: float = 0.0
    """Before the status line."""
    until: asyncio.Event | None = None
    """Says nothing before it is set."""
    first_token_s: float = 0.0
    gap_s: float = 0.0
    linger_s: float = 0.0
    """Between the announced end and the real one."""
    stall_after: int | None = None
    """Says nothing more after so many words."""
    cut_after: int | None = None
    """Resets the connection after so many words."""
    end_after: int | None = None
    """Ends the answer neatly, but without saying that it is complete, after so many words."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    """Sent as it is instead of a completion; with a status of 200 as an event stream."""
    code: str | None = None
    """The error's code, with a status other than 200."""


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, object]
    port: int
    """The client's: the same port is the same connection."""
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """The client closed the connection before the answer was complete."""


class _ClientLeftError(Exception):
    pass


class OpenAiStandIn:
    """`async with OpenAiStandIn() as server`: `server.url` is the base URL for a client."""

    def __init__(
        self, default: Behaviour | None = None, port: int = 0, key: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.default = default or Behaviour()
        self.key = key
        """The only key that opens the server; empty takes any."""
        self.decides: Callable[[Request], Behaviour] | None = None
        """Behaves by what it is asked, where nothing is queued."""
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        """Somebody has asked for a completion."""
        self._tls = tls
        self._queued: deque[Behaviour] = deque()
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http{'s' if self._tls else ''}://{host}:{port}/v1"

    @property
    def completions(self) -> list[Request]:
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    def will(self, *behaviours: Behaviour) -> None:
        """Behave so for the next completions, in this order."""
        self._queued.extend(behaviours)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def _decided(self, request: Request) -> Behaviour:
        return self.decides(request) if self.decides else self.default

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        request: Request | None = None
        try:
            while (request := await _read(reader, writer)) is not None:
                self.requests.append(request)
                await self._answer(request, reader, writer)
        except (_ClientLeftError, ConnectionError):
            if request is not None:
                request.disconnected.set()
        except asyncio.CancelledError:
            pass  # the stand-in is closing
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            await _send_whole(writer, 401, _error("invalid_api_key"))
            return
        if not request.path.endswith("/chat/completions"):
            models = {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "tests"}]}
            await _send_whole(writer, 200, json.dumps(models))
            return
        self.asked.set()
        behaviour = self._queued.popleft() if self._queued else self._decided(request)
        await _pause(behaviour.headers_s, reader)
        if behaviour.until is not None:
            await behaviour.until.wait()
        if behaviour.status != 200:
            await _pause(behaviour.first_token_s, reader)
            body = behaviour.body or _error(behaviour.code)
            await _send_whole(writer, behaviour.status, body, behaviour.headers)
            return
        await _send_head(writer, 200, "text/event-stream", {"transfer-encoding": "chunked", **behaviour.headers})
        async for event in _events(behaviour, request, reader, writer):
            await _send_chunk(writer, event)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _events(
    behaviour: Behaviour, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> AsyncIterator[str]:
    """The event stream, piece by piece."""
    await _pause(behaviour.first_token_s, reader)
    if behaviour.body:
        yield behaviour.body
        return
    yield _event({"role": "assistant", "content": ""})
    words = [word + " " for word in behaviour.text.split(" ")] if behaviour.text else []
    words[-1:] = [word.rstrip() for word in words[-1:]]
    for count, word in enumerate(words):
        if count == behaviour.stall_after:
            await _pause(3600, reader)
        if count == behaviour.cut_after:
            writer.transport.abort()
            raise ConnectionAbortedError
        if count == behaviour.end_after:
            return
        yield _event({"content": word})
        await _pause(behaviour.gap_s, reader)
    for index, (name, arguments) in enumerate(behaviour.tool_calls):
        half = len(arguments) // 2
        call = {"index": index, "id": f"call_{index}", "type": "function"}
        yield _event({"tool_calls": [{**call, "function": {"name": name, "arguments": arguments[:half]}}]})
        yield _event({"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]})
    yield _event({}, finish="tool_calls" if behaviour.tool_calls else "stop")
    if behaviour.usage is not None and request.body.get("stream_options"):
        prompt, completion = behaviour.usage
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": behaviour.cached_tokens, "audio_tokens": 0},
        }
        yield _event(None, usage=usage)
    yield "data: [DONE]\n\n"
    await _pause(behaviour.linger_s, reader)


def _error(code: str | None) -> str:
    """An error's body. Its message holds what must never be handed on."""
    return json.dumps({"error": {"message": "sk-secret said something private", "type": "t", "code": code}})


_ids = itertools.count()


def _event(delta: object, *, finish: str | None = None, usage: object = None) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {
        "id": f"chatcmpl-{next(_ids)}",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "m",
        "choices": choices,
        "usage": usage,
    }
    return f"data: {json.dumps(chunk)}\n\n"


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        pairs = (field.partition(":") for field in fields if field)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except asyncio.IncompleteReadError:
        return None
    port = writer.get_extra_info("peername")[1]
    return Request(line.split(" ")[1], headers, json.loads(body) if body else {}, port)


async def _pause(seconds: float, reader: asyncio.StreamReader) -> None:
    """Wait, but notice when the client leaves: it sends nothing while it is being answered."""
    if not seconds:
        return
    try:
        async with asyncio.timeout(seconds):
            await reader.read(1)
        raise _ClientLeftError
    except TimeoutError:
        return


async def _send_whole(
    writer: asyncio.StreamWriter, status: int, body: str, headers: dict[str, str] | None = None
) -> None:
    sized = {"content-length": str(len(body.encode())), **(headers or {})}
    await _send_head(writer, status, "application/json", sized)
    writer.write(body.encode())
    await writer.drain()


async def _send_head(writer: asyncio.StreamWriter, status: int, kind: str, headers: dict[str, str]) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"content-type": kind, **headers}.items())
    writer.write(f"HTTP/1.1 {status} Status\r\n{fields}\r\n".encode())
    await writer.drain()


async def _send_chunk(writer: asyncio.StreamWriter, text: str) -> None:
    data = text.encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


async def _serve_for_ever(port: int, behaviour: Behaviour) -> None:
    async with OpenAiStandIn(behaviour, port) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Run the stand-in as a process of its own, for benchmarks and demonstrations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--text", default=Behaviour.text)
    parser.add_argument("--first-token-s", type=float, default=0.0)
    parser.add_argument("--gap-s", type=float, default=0.0)
    told = parser.parse_args()
    asyncio.run(
        _serve_for_ever(told.port, Behaviour(text=told.text, first_token_s=told.first_token_s, gap_s=told.gap_s))
    )


if __name__ == "__main__":
    main()
