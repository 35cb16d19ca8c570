"""One pool of HTTP connections to one address, kept open between calls."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, cast
from urllib.parse import quote, urlencode

import httpx
import msgspec
import structlog

from scriza.kernel.errors import NotFound, Unavailable, UpstreamFailed
from scriza.kernel.operation import Operation
from scriza.kernel.remarks import note_header
from scriza.wire import problems
from scriza.wire.codec import encode, sendable
from scriza.wire.context import carrying

KEEPALIVE_SECONDS = 120.0
CONNECTIONS = 512

_log = structlog.get_logger()

_NO_NAMES = {"", ".", ".."}
"""As a path segment, these would lead to another operation."""


class Line:
    """Carries requests of one port to `url`, with a credential and the caller's context."""

    def __init__(self, port: str, url: str, token: str, tls: ssl.SSLContext | None, silence: float) -> None:
        self.port = port
        self.url = url.rstrip("/")
        parsed = httpx.URL(self.url)
        if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
            raise ValueError("not an http(s) URL of a host without a user")
        if token and not (token.isascii() and token.isprintable() and token == token.strip()):
            raise ValueError("the token cannot be sent as a header")
        self.silence = silence
        self.tls = (tls or ssl.create_default_context()) if parsed.scheme == "https" else None
        self._credential = {"authorization": f"Bearer {token}"} if token else {}
        self._addresses: dict[str, httpx.URL] = {}
        self._http = httpx.AsyncClient(
            verify=self.tls or False,
            trust_env=False,
            timeout=httpx.Timeout(None),  # each operation has its deadline
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS
            ),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def headers(self) -> dict[str, str]:
        """What goes with every request: who asks, for which request and call, and the credential."""
        return carrying() | self._credential

    async def fetch(self, operation: Operation, values: dict[str, Any]) -> bytes:
        """The body of the one reply."""
        response = await self._send(operation, values)
        try:
            with self._reading(operation):
                return await response.aread()
        finally:
            await response.aclose()

    @asynccontextmanager
    async def stream(self, operation: Operation, values: dict[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body's chunks as they come. Leaving early closes the connection, by which the other side knows."""
        response = await self._send(operation, values)
        try:
            with self._reading(operation):
                async with aclosing(self._chunks(operation, response)) as chunks:
                    yield chunks
        finally:
            await response.aclose()

    async def _chunks(self, operation: Operation, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as chunks:
            while True:
                try:
                    async with asyncio.timeout(self.silence):
                        chunk = await anext(chunks, None)
                except TimeoutError:
                    raise UpstreamFailed(f"{operation.name}: the stream fell silent") from None
                if chunk is None:
                    return
                yield chunk

    async def _send(self, operation: Operation, values: dict[str, Any]) -> httpx.Response:
        """The head of a good answer. An idempotent request that was lost on its way is sent once more."""
        request = self._request(operation, values)
        try:
            response = await self._http.send(request, stream=True)
        except httpx.ConnectError as error:
            raise self.unavailable(operation, "cannot be reached", error) from error
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            if not operation.idempotent:
                raise self.unavailable(operation, "was lost before it answered", error) from error
            try:
                response = await self._http.send(self._request(operation, values), stream=True)
            except httpx.TransportError as again:
                raise self.unavailable(operation, "was lost before it answered", again) from again
        if response.status_code >= 300:
            try:
                with self._reading(operation):
                    body = await response.aread()
            finally:
                await response.aclose()
            raise problems.error_of(response.status_code, response.headers.get("content-type", ""), body)
        for name, value in response.headers.items():
            if name.startswith("x-scriza-"):
                with suppress(ValueError):
                    note_header(name, value)
        return response

    def unavailable(self, operation: Operation, how: str, error: Exception) -> Unavailable:
        """The address goes to the log alone: it is nothing for whoever asks from outside."""
        _log.warning("wire.unavailable", port=self.port, operation=operation.name, url=self.url, error=repr(error))
        return Unavailable(f"{self.port} {how}")

    def _request(self, operation: Operation, values: dict[str, Any]) -> httpx.Request:
        headers = self.headers()
        content = b""
        request = next((values[name] for name in operation.arguments if name not in operation.parameters), None)
        with sendable():
            if request is not None and operation.verb != "GET":
                content = encode(request)
                headers["content-type"] = "application/json"
            url = self._addresses.get(operation.name) or self._address(operation, values, request)
        return httpx.Request(operation.verb, url, headers=headers, content=content)

    def _address(self, operation: Operation, values: dict[str, Any], request: msgspec.Struct | None) -> httpx.URL:
        path = operation.path
        for name in operation.parameters:
            if values[name] in _NO_NAMES:
                raise NotFound(f"{name} is not a name: {values[name]!r}")
            path = path.replace(f"{{{name}}}", quote(values[name], safe=""))
        if operation.verb == "GET" and request is not None:
            return httpx.URL(f"{self.url}{path}?{urlencode(list(_pairs(request)))}")
        url = httpx.URL(f"{self.url}{path}")
        if not operation.parameters:
            self._addresses[operation.name] = url
        return url

    @contextmanager
    def _reading(self, operation: Operation) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise UpstreamFailed(f"{operation.name}: the answer broke off") from error


def _pairs(request: msgspec.Struct) -> Iterator[tuple[str, str]]:
    """A request's fields for the query: lists by repetition, what is None left out."""
    for name, value in cast("dict[str, object]", msgspec.to_builtins(request)).items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield name, str(one).lower() if isinstance(one, bool) else str(one)
