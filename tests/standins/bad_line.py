"""The line to a provider, and what goes wrong on it: a proxy on loopback in front of any stand-in that speaks HTTP.

In fair weather bytes pass both ways as they are. A fault begins at once: connections that are open are cut, as they are
when a provider goes down, and every request from then on meets the fault.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

FAIR = "fair"
REFUSED = "connection refused"
TLS = "TLS failure"
SLOW_HEADERS = "slow headers"
STALL = "stall in the middle"
CUT_OFF = "cut-off"
WRONG_TYPE = "wrong content type"
BROKEN_JSON = "broken JSON"
EMPTY = "empty answer"
FOR_EVER_S = 120


@dataclass(frozen=True)
class Refusal:
    """An answer in the provider's own words."""

    name: str
    status: int
    body: str
    content_type: str = "application/json"
    retry_after: int | None = None


Fault = str | Refusal
_HTML = Refusal(
    WRONG_TYPE, 200, "<!DOCTYPE html><html><body>Please log in to the hotel's network</body></html>", "text/html"
)
_BROKEN = Refusal(BROKEN_JSON, 200, '{"id": "x", "choices": [{"delta": {"con\x00\n\ndata: {]\n\n')
_EMPTY = Refusal(EMPTY, 200, "")
CANNED = {WRONG_TYPE: _HTML, BROKEN_JSON: _BROKEN, EMPTY: _EMPTY}


class BadLine:
    """`async with BadLine(url) as line`: `line.url` leads to the provider at `url`, or to the fault that `turn` set.

    `middle` is after how many bytes of an answer's body a stall or a cut-off comes.
    """

    def __init__(self, url: str, *, middle: int = 300) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        self._middle = middle
        self._fault: Fault = FAIR
        self._server: asyncio.Server | None = None
        self._own_port = 0
        self._connections: set[asyncio.Task[None]] = set()
        self.met = 0
        """Requests that met the fault."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._own_port}{self._path}"

    @property
    def provider_port(self) -> int:
        """Where the provider is to listen."""
        return self._port

    @property
    def secure_url(self) -> str:
        """The same place, where nobody speaks TLS."""
        return f"https://127.0.0.1:{self._own_port}{self._path}"

    async def turn(self, fault: Fault) -> None:
        """Change the weather."""
        self._fault, self.met = fault, 0
        await self._cut()
        if fault == REFUSED:
            await self._close()
        elif self._server is None:
            await self._open()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()
        await self._cut()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._own_port)
        self._own_port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _cut(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._fault
        if fault == FAIR:
            await self._pass(reader, writer, None)
            return
        self.met += 1
        if fault == SLOW_HEADERS:
            await _until_gone(reader)
        elif fault == TLS:
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            await _until_gone(reader)
        elif fault in (STALL, CUT_OFF):
            await self._pass(reader, writer, self._middle)
            if fault == STALL:
                await _until_gone(reader)
        else:
            canned = CANNED[fault] if isinstance(fault, str) else fault
            await _answer(canned, reader, writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, middle: int | None) -> None:
        """Let bytes pass both ways, all of them or until the answer's body is at its `middle`."""
        there, back = await asyncio.open_connection(self._host, self._port)
        up = asyncio.create_task(_pump(reader, back, None))
        down = asyncio.create_task(_pump(there, writer, middle))
        try:
            await asyncio.wait({up, down} if middle is None else {down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            back.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, middle: int | None) -> None:
    head, passed = b"", 0
    while data := await reader.read(65_536):
        if middle is not None:
            head += data if b"\r\n\r\n" not in head else b""
            data = data[: middle + len(head.partition(b"\r\n\r\n")[0]) + 4 - passed]
        passed += len(data)
        writer.write(data)
        await writer.drain()
        if middle is not None and passed == middle + len(head.partition(b"\r\n\r\n")[0]) + 4:
            return


async def _answer(refusal: Refusal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _read_request(reader, writer)
    after = "" if refusal.retry_after is None else f"retry-after: {refusal.retry_after}\r\n"
    body = refusal.body.encode()
    writer.write(
        f"HTTP/1.1 {refusal.status} Weather\r\ncontent-type: {refusal.content_type}\r\n{after}"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
    )
    writer.write(body)
    await writer.drain()
    writer.write_eof()
    await _until_gone(reader)


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    if fields.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in fields.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
    else:
        await reader.readexactly(int(fields.get("content-length", "0")))


async def _until_gone(reader: asyncio.StreamReader) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(FOR_EVER_S):
            while await reader.read(65_536):
                pass
