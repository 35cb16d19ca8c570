"""The work behind one HTTP request: calls the implementation and sends what comes of it.

An answer makes itself while it is sent, in the request's own task, so that all of it can be cancelled as one. A client
that leaves, a deadline and a server that stops all end the implementation's work: a coroutine is cancelled, a generator
is closed, and its `finally` has run when the request is over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
from litestar import Response
from litestar.datastructures import Headers
from litestar.types import ASGIApp, Receive, Scope, Send

from scriza.kernel.errors import Problem
from scriza.kernel.operation import Operation
from scriza.kernel.remarks import remarks
from scriza.wire import etags, problems
from scriza.wire.codec import encode
from scriza.wire.sse import HEARTBEAT
from scriza.wire.together import PeerLeft, Turns, alongside, close, deadline


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise PeerLeft


class Answer(Response[bytes]):
    """An answer that makes itself while it is sent."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.failed = False
        """It broke off after its status was sent."""

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]  # Litestar calls it as such
        """What is sent is made by `send_it`."""
        return self.send_it

    async def send_it(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work and send what comes of it. What it raises before the status is sent is the answer's own error."""
        raise NotImplementedError


class UnaryAnswer(Answer):
    """One reply, as JSON."""

    def __init__(self, operation: Operation, call: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.operation = operation
        self.call = call

    async def send_it(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Answer`."""
        try:
            with remarks() as noted:
                async with alongside(_leaving(receive)), deadline(self.operation.timeout, self.operation.name):
                    reply = await self.call()
        except PeerLeft:
            return
        status, body, headers = 204, b"", _encoded(noted)
        tag = str(getattr(reply, etags.ETAG)) if self.operation.versioned else ""
        if tag:
            headers.append((b"etag", f'"{tag}"'.encode()))
        if tag and self.operation.verb == "GET" and etags.has(Headers.from_scope(scope).get("if-none-match", ""), tag):
            status = 304
        elif reply is not None:
            status, body = 200, encode(reply)
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class EventWriter(Protocol):
    """Writes a stream's items as server-sent events: `codec.Events`, or another protocol's."""

    def encode(self, item: msgspec.Struct) -> bytes:
        """The event's bytes."""
        ...

    def failure(self, problem: Problem) -> bytes:
        """The event that ends a stream that failed."""
        ...


class StreamAnswer(Answer):
    """A stream of server-sent events. The first item is awaited before the status is sent."""

    def __init__(
        self,
        operation: Operation,
        events: EventWriter,
        heartbeat: float,
        call: Callable[[], AsyncIterator[msgspec.Struct]],
    ) -> None:
        super().__init__()
        self.operation = operation
        self.events = events
        self.heartbeat = heartbeat
        self.call = call

    async def send_it(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Answer`."""
        body = _EventStream(send)
        try:
            async with alongside(_leaving(receive), body.beat(self.heartbeat)):
                items = self.call()
                try:
                    await self._send_items(items, body)
                finally:
                    await close(items)
        except PeerLeft:
            return

    async def _send_items(self, items: AsyncIterator[msgspec.Struct], body: "_EventStream") -> None:
        with remarks() as noted:
            async with deadline(self.operation.timeout, f"the first item of {self.operation.name}"):
                first = await anext(items, None)
        await body.open(_encoded(noted))
        try:
            if first is not None:
                await body.write(self.events.encode(first))
                async for item in items:
                    await body.write(self.events.encode(item))
        except Exception as error:
            # The status is sent, so whatever it is goes into the stream; `problem_of` logs what is not for the client.
            self.failed = True
            await body.write(self.events.failure(problems.problem_of(error)))
        await body.end()


class _EventStream:
    """The body of a stream's answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._open = False
        self._written = False
        self._turns = Turns()

    async def open(self, headers: list[tuple[bytes, bytes]]) -> None:
        headers += [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache, no-transform")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self._open = True

    async def write(self, data: bytes) -> None:
        self._written = True
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await self._turns.take()

    async def end(self) -> None:
        self._open = False
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def beat(self, seconds: float) -> None:
        """Says that the stream lives whenever nothing else was said for a while."""
        while True:
            self._written = False
            await asyncio.sleep(seconds)
            if self._open and not self._written:
                await self.write(HEARTBEAT)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
