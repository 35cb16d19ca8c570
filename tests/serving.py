"""A real HTTP server for tests: uvicorn on a free loopback port, in the test's own event loop."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


def listening_socket() -> socket.socket:
    """Bound to a free port, so that nobody else takes it before the server listens.

    The protocol is named, since asyncio turns Nagle's algorithm off only for sockets that say they are TCP.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


@asynccontextmanager
async def serving(app: Any, sock: socket.socket | None = None, **options: Any) -> AsyncIterator[str]:
    """Serve an ASGI `app`; yields its base URL, such as ``http://127.0.0.1:40123``.

    `sock` is a bound socket of the test's own; `options` are uvicorn's. Leaving waits until open requests are over, for
    at most two seconds.
    """
    settings: dict[str, Any] = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 2}
    config = uvicorn.Config(app, ws_per_message_deflate=False, **(settings | options))
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    sock = sock or listening_socket()
    try:
        await server.startup(sockets=[sock])
        if server.should_exit:
            raise RuntimeError("the application did not start; see its log")
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[sock])
    finally:
        sock.close()
