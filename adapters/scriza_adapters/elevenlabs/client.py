"""The one client of the process: the SDK's, its pool of connections, and the sockets, all of one TLS context."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

import httpx

from scriza_adapters.elevenlabs.decoding import Chunk
from scriza_adapters.elevenlabs.errors import told_as_ours
from scriza_adapters.elevenlabs.http import http_client, streamed
from scriza_adapters.elevenlabs.order import Order, Patience
from scriza_adapters.elevenlabs.sockets import Address, Sockets

if TYPE_CHECKING:
    from elevenlabs.client import AsyncElevenLabs

Way = Literal["timed", "plain", "socket"]
"""`timed` is HTTP with the time of every character, `plain` HTTP with nothing but audio."""

_HOST = "https://api.elevenlabs.io"
_STALE_S = 100.0
"""The pool lets go of a connection that was not used for 120 s."""


class ElevenLabs:
    """Reaches the vendor with `api_key`; `base_url` empty is its own host.

    The SDK is imported when it is first needed, in a thread; `warm_up` does that before a caller waits for it.
    """

    def __init__(
        self, api_key: str, *, base_url: str = "", way: Way = "timed", patience: Patience | None = None
    ) -> None:
        self.way: Way = way
        self.patience = patience or Patience()
        self._api_key = api_key
        self._url = base_url or _HOST
        self._http: httpx.AsyncClient | None = None
        self._built: tuple[AsyncElevenLabs, Sockets] | None = None
        self._building = asyncio.Lock()
        self._used = 0.0
        self._greeting: asyncio.Task[None] | None = None

    async def warm_up(self) -> None:
        """Import the SDK, build the client and open a connection, by asking which models there are."""
        await self._connected()
        await self._greet()

    async def close(self) -> None:
        """Close all connections."""
        if self._greeting is not None:
            self._greeting.cancel()
            await asyncio.gather(self._greeting, return_exceptions=True)
        if self._built is not None:
            await self._built[1].close()
        if self._http is not None:
            await self._http.aclose()
        self._http = self._built = None

    def prepare(self, order: Order) -> None:
        """A clip will be ordered soon: have a connection open by then. Does nothing before the first `warm_up`.

        Raises BadInput for an order that cannot be one.
        """
        order.check()
        if self._built is None:
            return
        if self.way == "socket":
            self._built[1].prepare(Address.of(order))
        elif time.monotonic() - self._used > _STALE_S and self._greeting is None:
            self._greeting = asyncio.create_task(self._greet_quietly(), name="elevenlabs greeting")
            self._greeting.add_done_callback(self._greeted)

    async def chunks(self, order: Order, sample_rate: int, way: Way) -> AsyncGenerator[Chunk, None]:
        """What the vendor sends, within the deadlines and with our errors. Leaving it stops the vendor."""
        order.check()
        sdk, sockets = await self._connected()
        self._used = time.monotonic()
        by_socket = way == "socket"
        source = sockets.speak(order) if by_socket else streamed(sdk, order, sample_rate, timed=way == "timed")
        patience = self.patience.first_s
        async with aclosing(source):
            while True:
                with told_as_ours():
                    async with asyncio.timeout(patience):
                        chunk = await anext(source, None)
                if chunk is None:
                    return
                yield chunk
                patience = self.patience.next_s

    async def _greet(self) -> None:
        sdk, _ = await self._connected()
        self._used = time.monotonic()
        with told_as_ours():
            async with asyncio.timeout(2 * self.patience.first_s):
                await sdk.models.list(request_options={"max_retries": 0})

    async def _greet_quietly(self) -> None:
        await self._greet()

    def _greeted(self, task: "asyncio.Task[None]") -> None:
        self._greeting = None
        if not task.cancelled():
            task.exception()  # the clip that follows will tell

    async def _connected(self) -> "tuple[AsyncElevenLabs, Sockets]":
        async with self._building:
            if self._built is None:
                self._built = await asyncio.to_thread(self._build)
            return self._built

    def _build(self) -> "tuple[AsyncElevenLabs, Sockets]":
        from elevenlabs.client import AsyncElevenLabs

        tls = ssl.create_default_context()
        longest_s = max(self.patience.first_s, self.patience.next_s) + 1  # the deadlines above come first
        self._http = http_client(tls, longest_s)
        sdk = AsyncElevenLabs(api_key=self._api_key, base_url=self._url, timeout=longest_s, httpx_client=self._http)
        sdk.text_to_speech.with_raw_response  # noqa: B018 # imports what it needs
        return sdk, Sockets(self._url, self._api_key, tls)
