"""A stand-in for the server of a team's tool: real HTTP on loopback, as slow, huge or lying as a test wants.

It answers each path by what was put there with `will`, and remembers what it was asked. A path without anything gets
``{"ok": true}``. Under an `Idempotency-Key` that it knows it does nothing twice.
"""

import asyncio
import json
import ssl
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Doing:
    """How one request goes. Times are in seconds."""

    body: str | bytes = '{"ok": true}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    until: asyncio.Event | None = None
    """Says nothing before it is set."""
    never: bool = False
    """Says nothing at all."""
    cut: bool = False
    """Resets the connection in the middle of the body."""
    endless: bool = False
    """The body has no end."""
    garbage: bytes = b""
    """Sent instead of an answer."""


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def arguments(self) -> object:
        return json.loads(self.body) if self.body else {}


class ToolServer:
    """`async with ToolServer() as server`: `server.url` is its base."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.done: dict[str, Asked] = {}
        """What had its effect, by its key: once for each."""
        self.arrived = asyncio.Event()
        self._will: dict[str, deque[Doing]] = defaultdict(deque)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def will(self, path: str, *doings: Doing) -> None:
        """Answer so at this path, the last of them for good."""
        self._will[path].extend(doings)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while asked := await _read(reader):
                self.asked.append(asked)
                self.arrived.set()
                await self._answer(asked, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        queued = self._will[asked.target.partition("?")[0]]
        doing = (queued.popleft() if len(queued) > 1 else queued[0]) if queued else Doing()
        if doing.status < 300:
            self.done.setdefault(asked.headers.get("idempotency-key", ""), asked)
        if doing.until is not None:
            await doing.until.wait()
        if doing.never:
            await asyncio.Event().wait()
        if doing.garbage:
            writer.write(doing.garbage)
            await writer.drain()
            writer.close()
            return
        body = doing.body.encode() if isinstance(doing.body, str) else doing.body
        told = {"content-type": "application/json", "content-length": str(len(body)), **doing.headers}
        if doing.endless:
            told["content-length"] = str(10**12)
        fields = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {doing.status} Status\r\n{fields}\r\n".encode())
        if doing.cut:
            writer.write(body[: len(body) // 2])
            await writer.drain()
            writer.transport.abort()
            return
        writer.write(body)
        await writer.drain()
        while doing.endless:
            writer.write(b"x" * 65_536)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        pairs = (field.partition(":") for field in fields if field)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = line.split(" ")
    return Asked(method, target, headers, body)
