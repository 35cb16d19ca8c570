"""A port reached both ways: the implementation itself, and a client of it over HTTP. Both must behave the same.

    async def test_a_turn_is_answered(doors: Doors) -> None:
        async with doors(Llm, LlmService(...)) as llm:      # runs twice: in-process, http
            reply = await llm.turn(Turn(...))

`doors` is a fixture of this folder's conftest. Over HTTP the port is served by uvicorn on a loopback port in the test's
own event loop, behind the whole edge, and called by `wire.connect` with a service token, so that what the test sees of
its implementation (that a `finally` has run, say) it can see either way. A caller's principal, request id and call id
are bound by `scriza.kernel.principal.acting`. `doors.remote` tells which of the two it is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from typing_extensions import TypeForm

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.wire import connect, disconnect, serve
from tests.serving import serving

P = TypeVar("P")

TOKEN = "a-service-token"


class Doors:
    """Opens one of the two ways to a port."""

    def __init__(self, remote: bool) -> None:
        self.remote = remote

    @asynccontextmanager
    async def __call__(self, port: TypeForm[P], implementation: P) -> AsyncIterator[P]:
        """Yields what the test calls."""
        if not self.remote:
            yield implementation
            return
        app = edge_around([behind(Bearer(), serve(port, implementation))], [ServiceAccess(TOKEN)])
        async with serving(app) as url:
            client = connect(port, url, token=TOKEN)
            try:
                yield client
            finally:
                await disconnect(client)
