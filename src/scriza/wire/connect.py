"""A port's client side: an object with the port's methods, each of which is an HTTP request or a socket.

It raises what the other side raised. What goes wrong between the two is Unavailable (not reached, or lost before an
answer), DeadlineExceeded, or UpstreamFailed (an answer that makes no sense, or breaks off).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

import httpx
import msgspec
from typing_extensions import TypeForm
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from scriza.kernel.errors import BadInput, NotFound, ScrizaError, TooLarge, Unavailable, UpstreamFailed
from scriza.kernel.operation import Kind, Operation, operations
from scriza.kernel.remarks import note_header
from scriza.wire import problems
from scriza.wire.codec import ERROR, Blocks, Decoder, End, Events, Failure, encode
from scriza.wire.context import carrying
from scriza.wire.sse import events
from scriza.wire.together import deadline

P = TypeVar("P")

KEEPALIVE_SECONDS = 120.0
CONNECTIONS = 512
SILENCE_SECONDS = 20.0
"""A stream sends a heartbeat every few seconds: after this long without a byte the other side is taken for dead."""

_LOST = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)


def connect(port: TypeForm[P], url: str, *, token: str = "", tls: ssl.SSLContext | None = None) -> P:
    """A client of `port` as served at `url`. Nothing is sent before the first call; end it by `disconnect`.

    `token` is the service token that opens the other side. `tls` replaces the system's trust for an https URL.
    """
    described = cast("type", port)
    line = _Line(url, token, tls)
    makers = {Kind.UNARY: _unary, Kind.STREAM: _stream, Kind.DUPLEX: _duplex}
    methods = {}
    for operation in operations(described):
        method = makers[operation.kind](operation, line)
        method.__name__ = operation.name
        method.__qualname__ = f"{described.__name__}.{operation.name}"
        methods[operation.name] = staticmethod(method)
    client = type(f"Remote{described.__name__}", (_Client,), methods)(line)
    return cast("P", client)


async def disconnect(client: object) -> None:
    """Close a client's connections. Raises TypeError for what `connect` has not made."""
    if not isinstance(client, _Client):
        raise TypeError(f"{client!r} is not a client of a port")
    await client.line.http.aclose()


class _Client:
    def __init__(self, line: "_Line") -> None:
        self.line = line

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.line.url}>"


class _Line:
    """One pool of connections to one address."""

    def __init__(self, url: str, token: str, tls: ssl.SSLContext | None) -> None:
        self.url = httpx.URL(url.rstrip("/"))
        if self.url.scheme not in {"http", "https"} or not self.url.host:
            raise ValueError(f"not an http(s) URL: {url!r}")
        secure = self.url.scheme == "https"
        self.tls = (tls or ssl.create_default_context()) if secure else None
        self.credential = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(
            verify=self.tls or False,
            trust_env=False,
            timeout=None,  # noqa: S113  # every request has its deadline
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS
            ),
        )

    def address(self, operation: Operation, values: dict[str, Any]) -> str:
        """The operation's URL for these arguments."""
        path = operation.path
        for name in operation.parameters:
            if not values[name]:
                raise NotFound(f"{name} is empty")
            path = path.replace(f"{{{name}}}", quote(values[name], safe=""))
        query = ""
        request = _request_of(operation, values)
        if operation.verb == "GET" and request is not None:
            query = "?" + urlencode(list(_pairs(request)))
        return f"{self.url}{path}{query}"

    def request(self, operation: Operation, values: dict[str, Any]) -> httpx.Request:
        """The operation's HTTP request for these arguments."""
        headers = carrying() | self.credential
        request = _request_of(operation, values)
        body = b""
        if request is not None and operation.verb != "GET":
            body = encode(request)
            headers["content-type"] = "application/json"
        return httpx.Request(operation.verb, self.address(operation, values), headers=headers, content=body)

    async def send(self, operation: Operation, values: dict[str, Any]) -> httpx.Response:
        """The head of the answer, its body still to be read. An idempotent request lost on the way is sent again."""
        retries = 1 if operation.idempotent else 0
        while True:
            try:
                response = await self.http.send(self.request(operation, values), stream=True)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Unavailable(f"{operation.name}: cannot reach {self.url}") from error
            except _LOST as error:
                if not retries:
                    raise Unavailable(f"{operation.name}: lost the connection to {self.url}") from error
                retries -= 1
        if response.status_code >= 300:
            try:
                with _reading(operation):
                    body = await response.aread()
            finally:
                await response.aclose()
            raise problems.of_response(response.status_code, response.headers.get("content-type", ""), body)
        for name, value in response.headers.items():
            if name.startswith("x-scriza-"):
                note_header(name, value)
        return response


def _request_of(operation: Operation, values: dict[str, Any]) -> msgspec.Struct | None:
    return next((value for value in values.values() if isinstance(value, msgspec.Struct)), None)


def _pairs(request: msgspec.Struct) -> Iterator[tuple[str, str]]:
    for name, value in cast("dict[str, object]", msgspec.to_builtins(request)).items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield name, str(one).lower() if isinstance(one, bool) else str(one)


@contextmanager
def _reading(operation: Operation) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise UpstreamFailed(f"{operation.name}: the stream fell silent") from error
    except httpx.HTTPError as error:
        raise UpstreamFailed(f"{operation.name}: the answer broke off") from error


def _bind(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    values = dict(zip(operation.arguments, args, strict=False)) | kwargs
    if len(args) > len(operation.arguments) or values.keys() != set(operation.arguments):
        raise TypeError(f"{operation.name} takes {operation.arguments}")
    return values


def _unary(operation: Operation, line: _Line) -> Callable[..., Any]:
    decoder: Decoder[object] = msgspec.json.Decoder(operation.reply)

    async def call(*args: Any, **kwargs: Any) -> object:
        values = _bind(operation, args, kwargs)
        async with deadline(operation.timeout, operation.name):
            response = await line.send(operation, values)
            try:
                with _reading(operation):
                    body = await response.aread()
            finally:
                await response.aclose()
        if not body and operation.reply is type(None):
            return None
        try:
            return decoder.decode(body)
        except (ValueError, RecursionError) as error:
            raise UpstreamFailed(f"{operation.name}: the answer makes no sense: {error}") from error

    return call


def _stream(operation: Operation, line: _Line) -> Callable[..., Any]:
    codec = Events(operation.reply)

    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[object]:
        values = _bind(operation, args, kwargs)
        response: httpx.Response | None = None
        try:
            async with deadline(operation.timeout, f"the first item of {operation.name}"):
                response = await line.send(operation, values)
                items = _items(operation, codec, response)
                first = await anext(items, None)
            if first is not None:
                yield first
                async for item in items:
                    yield item
        finally:
            if response is not None:
                await response.aclose()

    return call


async def _items(operation: Operation, codec: Events, response: httpx.Response) -> AsyncIterator[msgspec.Struct]:
    with _reading(operation):
        async for name, data in events(response.aiter_raw()):
            if name == ERROR:
                raise problems.of_response(500, problems.MEDIA_TYPE, data)
            try:
                item = codec.decode(name, data)
            except BadInput as error:
                raise UpstreamFailed(f"{operation.name}: {error.detail}") from error
            yield item


def _duplex(operation: Operation, line: _Line) -> Callable[..., Any]:
    outgoing: Blocks[msgspec.Struct] = Blocks(operation.blocks, End, operation.binary)
    incoming: Blocks[msgspec.Struct] = Blocks(operation.reply, Failure)
    address = f"ws{str(line.url).removeprefix('http')}{operation.path}"

    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[object]:
        opening, blocks = _bind(operation, args, kwargs).values()
        async with deadline(operation.timeout, operation.name):
            socket = await _open(line, operation, address)
        sender = asyncio.create_task(_send_blocks(socket, outgoing, opening, blocks))
        try:
            async for message in _messages(socket, sender):
                try:
                    item = incoming.decode(message)
                except BadInput as error:
                    raise UpstreamFailed(f"{operation.name}: {error.detail}") from error
                if isinstance(item, Failure):
                    raise ScrizaError.from_problem(item.told())
                yield item
        finally:
            sender.cancel()
            await asyncio.wait([sender])
            await socket.close()

    return call


async def _open(line: _Line, operation: Operation, address: str) -> ClientConnection:
    try:
        return await open_socket(
            address,
            additional_headers=carrying() | line.credential,
            compression=None,
            ssl=line.tls,
            proxy=None,
            open_timeout=None,
            close_timeout=2,
        )
    except InvalidStatus as error:
        answer = error.response
        raise problems.of_response(
            answer.status_code, answer.headers.get("content-type", ""), bytes(answer.body or b"")
        ) from error
    except (OSError, InvalidHandshake, InvalidURI) as error:
        raise Unavailable(f"{operation.name}: cannot reach {line.url}") from error


async def _send_blocks(
    socket: ClientConnection,
    codec: Blocks[msgspec.Struct],
    opening: msgspec.Struct,
    blocks: AsyncIterator[msgspec.Struct],
) -> None:
    try:
        await socket.send(encode(opening).decode())
        async for block in blocks:
            await socket.send(codec.encode(block))
        await socket.send(encode(End()).decode())
    except ConnectionClosed:
        return
    except Exception:
        await socket.close(1011)
        raise


async def _messages(socket: ClientConnection, sender: "asyncio.Task[None]") -> AsyncIterator[str | bytes]:
    while True:
        try:
            message = await socket.recv()
        except ConnectionClosed as closed:
            if sender.done() and not sender.cancelled() and (error := sender.exception()) is not None:
                raise error from None
            code = closed.rcvd.code if closed.rcvd is not None else 1006
            if code == 1000:
                return
            if code == 1009:
                raise TooLarge("a message was too long for the other side") from closed
            raise UpstreamFailed(f"the socket broke off: {code}") from closed
        yield message
