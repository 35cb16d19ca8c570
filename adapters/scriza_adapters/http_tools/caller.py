"""Asks the servers of tools: within a deadline, a bound of bytes and the guard, and never where a redirect points to.

What a server says of itself is data. No header of its, no text and no argument gets into a log line or an error.
"""

import asyncio
from urllib.parse import urlencode

import httpcore
import msgspec
import structlog

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, UpstreamFailed
from scriza.kernel.principal import current
from scriza.ports.tool_caller import ToolAnswer, ToolRequest
from scriza_adapters.http_tools.allowed import AllowedHosts, Place
from scriza_adapters.http_tools.guard import GuardedBackend, Resolve, Resolver
from scriza_adapters.provider_failures import provider_failed

_log = structlog.get_logger()

_MOST_BYTES = 64 * 1024
_MOST_CONNECTIONS = 40
_KEEP_ALIVE_S = 60.0
_PAUSE_S = 0.25
"""Before what got lost is asked for again."""
_LATER = frozenset({408, 425, 429})
"""Statuses of a server that did nothing and may later; of 503 that is sure only where it says when."""


class HttpToolCaller:
    """Implements ToolCaller over one pool of connections for the whole process.

    No proxy of the environment is used: it would resolve names beyond the guard.
    """

    def __init__(self, hosts: AllowedHosts, *, resolve: Resolve | None = None) -> None:
        self._hosts = hosts
        self._resolver = Resolver()
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=GuardedBackend(hosts.private, resolve or self._resolver),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
        self._resolver.close()

    async def call(self, request: ToolRequest) -> ToolAnswer:
        """See ToolCaller."""
        try:
            async with asyncio.timeout(request.timeout_ms / 1000):
                place = self._hosts.place(request.url)
                headers = self._headers(request, place)
                try:
                    return await self._asked(request, place, headers)
                except (UpstreamFailed, DeadlineExceeded) as error:
                    # What never left this machine may be sent again whatever it is.
                    if not request.again and not isinstance(error.__cause__, _UNSENT):
                        raise
                    _log.info("tool.asked_again", tool=request.tool, reason=error.slug)
                    await asyncio.sleep(_PAUSE_S)
                    return await self._asked(request, place, headers)
        except TimeoutError:
            failure: ScrizaError = DeadlineExceeded(f"the tool did not answer within {request.timeout_ms} ms")
            provider_failed("tool", failure)
            raise failure from None
        except ScrizaError as error:
            provider_failed("tool", error)
            raise

    def _headers(self, request: ToolRequest, place: Place) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": place.authority,
            "Accept": "application/json, text/plain",
            "Accept-Encoding": "identity",
            "User-Agent": "Scriza",
            "Idempotency-Key": f'"{request.key}"',
        }
        if request.auth_ref:
            workspace = current().principal.workspace
            headers["Authorization"] = f"Bearer {self._hosts.token(request.auth_ref, place, workspace)}"
        if request.method != "GET":
            headers["Content-Type"] = "application/json"
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    async def _asked(self, request: ToolRequest, place: Place, headers: list[tuple[bytes, bytes]]) -> ToolAnswer:
        target, body = place.target, b""
        if request.method == "GET":
            target = _with_query(target, request.arguments)
        else:
            body = msgspec.json.encode(request.arguments)
            headers = [*headers, (b"Content-Length", b"%d" % len(body))]
        url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=target.encode())
        try:
            async with self._pool.stream(request.method, url, headers=headers, content=body) as response:
                answer = await _read(response)
                says_when = any(name.lower() == b"retry-after" for name, _ in response.headers)
        except _UNSENT as error:
            raise UpstreamFailed(f"{place.origin} cannot be reached") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise DeadlineExceeded(f"the answer of {place.origin} got lost") from error
        if answer.status in _LATER or (answer.status == 503 and says_when):
            raise UpstreamFailed(f"{place.origin} asks for patience (HTTP {answer.status})")
        if 300 <= answer.status < 400:
            raise DeadlineExceeded(f"{place.origin} sends us elsewhere (HTTP {answer.status}), where nobody follows")
        if not answer.done and not 400 <= answer.status < 500:
            raise DeadlineExceeded(f"{place.origin} failed (HTTP {answer.status})")
        return answer


_UNSENT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.UnsupportedProtocol)
"""Before anything of the request was sent."""


async def _read(response: httpcore.Response) -> ToolAnswer:
    body, cut = bytearray(), False
    async for piece in response.aiter_stream():
        body += piece
        if cut := len(body) > _MOST_BYTES:
            break  # the rest is not read, and its connection is closed
    return ToolAnswer(response.status, bytes(body[:_MOST_BYTES]).decode(errors="replace"), cut)


def _with_query(target: str, arguments: dict[str, object]) -> str:
    if not arguments:
        return target
    pairs = [(name, value if isinstance(value, str) else _json(value)) for name, value in arguments.items()]
    return f"{target}{'&' if '?' in target else '?'}{urlencode(pairs)}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
