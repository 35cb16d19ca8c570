"""Connects to public addresses only: a name is resolved, its addresses are judged, and those are connected to.

Between the judgement and the connection nobody resolves the name again, so that a name that is now public and now
private (DNS rebinding) gains nothing. TLS is for the name all the same: certificate and SNI are the host's.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpcore

from scriza.kernel.errors import Forbidden
from scriza_adapters.http_tools.addresses import is_open

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host, best first. Raises OSError."""


_NEXT_ADDRESS_S = 1.0
"""So long one of several addresses is tried before the next."""


class Resolver:
    """Resolves as this machine does, in threads of its own: names that never resolve hold up nothing but tools."""

    def __init__(self, threads: int = 4) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tool-names")

    async def __call__(self, host: str, port: int) -> list[str]:
        """See Resolve."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(address[4][0]) for address in found))

    def close(self) -> None:
        """Nobody waits for what is still being resolved."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """What a connection pool connects by. `private` tells which hosts, at which ports, may be private.

    `setting` is where those are named.
    """

    def __init__(
        self,
        private: Callable[[str, int], bool],
        resolve: Resolve,
        *,
        setting: str = "SCRIZA_TOOL_PRIVATE_HOSTS",
    ) -> None:
        self._private, self._resolve, self._setting = private, resolve, setting
        self._net = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Forbidden for a host that has an address which is closed to it, ConnectError for one that has none."""
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        if not self._private(host, port) and not all(is_open(address) for address in addresses):
            raise Forbidden(f"{host} has an address that is not public: {self._setting} names such hosts")
        failed: Exception = httpcore.ConnectError("the name has no address")
        tried = addresses[:3]
        for number, address in enumerate(tried, 1):
            limit = timeout if number == len(tried) else _NEXT_ADDRESS_S
            try:
                return await self._net.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """No tool is behind one."""
        raise Forbidden("tools are not asked by sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        """Between the pool's own attempts."""
        await self._net.sleep(seconds)
