"""A port's client side: an object with the port's methods, each of which is an HTTP request or a socket.

It raises what the other side raised. What goes wrong between the two is Unavailable (not reached, or lost before an
answer), DeadlineExceeded, or UpstreamFailed (an answer that makes no sense, or breaks off).
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeVar, cast

import msgspec
from typing_extensions import TypeForm

from scriza.kernel.errors import BadInput, UpstreamFailed
from scriza.kernel.operation import Kind, Operation, operations
from scriza.wire import problems
from scriza.wire.codec import ERROR, Decoder, Events
from scriza.wire.line import Line
from scriza.wire.socket_client import duplex_call
from scriza.wire.sse import EventParser
from scriza.wire.together import cancelled_once, deadline

P = TypeVar("P")

SILENCE_SECONDS = 20.0


def connect(
    port: TypeForm[P],
    url: str,
    *,
    token: str = "",
    tls: ssl.SSLContext | None = None,
    silence: float = SILENCE_SECONDS,
) -> P:
    """A client of `port` as served at `url`. Nothing is sent before the first call; `disconnect` ends it.

    `token` is the service token that opens the other side. `tls` replaces the system's trust for an https URL. A stream
    on which nothing, not even a heartbeat, comes for `silence` seconds is taken for broken. Raises ValueError for what
    is not an http(s) URL.
    """
    described = cast("type", port)
    line = Line(described.__name__, url, token, tls, silence)
    methods = {}
    for operation in operations(described):
        method = _CALLS[operation.kind](operation, line)
        method.__name__ = operation.name
        method.__qualname__ = f"{described.__name__}.{operation.name}"
        methods[operation.name] = staticmethod(method)
    return cast("P", type(f"Remote{described.__name__}", (_Client,), methods)(line))


async def disconnect(client: object) -> None:
    """Close the connections of a client. Raises TypeError for what `connect` has not made."""
    if not isinstance(client, _Client):
        raise TypeError(f"{client!r} is not a client of a port")
    await client.line.close()


class _Client:
    def __init__(self, line: Line) -> None:
        self.line = line

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.line.url}>"


def _unary_call(operation: Operation, line: Line) -> Callable[..., Any]:
    decoder: Decoder[object] = msgspec.json.Decoder(operation.reply)

    async def call(*args: object, **kwargs: object) -> object:
        values = operation.bind(args, kwargs)
        async with deadline(operation.timeout, operation.name):
            body = await cancelled_once(line.fetch(operation, values))
        if operation.reply is type(None):
            return None
        try:
            return decoder.decode(body)
        except (ValueError, RecursionError) as error:
            raise UpstreamFailed(f"{operation.name}: the answer makes no sense: {error}") from error

    return call


def _stream_call(operation: Operation, line: Line) -> Callable[..., Any]:
    codec = Events(operation.reply)

    async def call(*args: object, **kwargs: object) -> AsyncIterator[msgspec.Struct]:
        values = operation.bind(args, kwargs)
        async with aclosing(_items(operation, codec, line, values)) as items:
            async with deadline(operation.timeout, f"the first item of {operation.name}"):
                first = await anext(items, None)
            if first is not None:
                yield first
                async for item in items:
                    yield item

    return call


async def _items(
    operation: Operation, codec: Events, line: Line, values: dict[str, Any]
) -> AsyncGenerator[msgspec.Struct, None]:
    parser = EventParser()
    async with line.stream(operation, values) as chunks:
        async for chunk in chunks:
            for name, data in parser.feed(chunk):
                if name == ERROR:
                    raise problems.error_of(502, problems.MEDIA_TYPE, data)
                try:
                    item = codec.decode(name, data)
                except BadInput as error:
                    raise UpstreamFailed(f"{operation.name}: {error.detail}") from error
                yield item


_CALLS = {Kind.UNARY: _unary_call, Kind.STREAM: _stream_call, Kind.DUPLEX: duplex_call}
