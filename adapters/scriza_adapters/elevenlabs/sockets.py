"""The sockets to the vendor that stay open, by what they are bound to."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from typing import NamedTuple
from urllib.parse import urlencode

import structlog
from websockets.asyncio.client import ClientConnection, connect

from scriza.kernel.errors import RateLimited, ScrizaError, UpstreamFailed
from scriza_adapters.elevenlabs.contexts import CLOSE_S, CONTEXTS, ContextSocket
from scriza_adapters.elevenlabs.decoding import Chunk
from scriza_adapters.elevenlabs.errors import told_as_ours
from scriza_adapters.elevenlabs.order import Order

_log = structlog.get_logger()

SOCKETS = 32
IDLE_S = 150.0
"""A socket on which nothing was said for so long is closed, before the vendor does it (after 180 s)."""
_INACTIVITY_S = 180
_PING_S = 20.0
_OPEN_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_KNOWN_PAUSES = 256


class Address(NamedTuple):
    """What a socket is bound to."""

    voice_id: str
    model: str
    language: str

    @staticmethod
    def of(order: Order) -> "Address":
        """Where the clip is made."""
        return Address(order.voice_id, order.model, order.language)


class Sockets:
    """The open sockets of the process, by what they are bound to. Owns their tasks."""

    def __init__(self, url: str, api_key: str, tls: ssl.SSLContext, *, idle_s: float = IDLE_S) -> None:
        self._url = f"ws{url.removeprefix('http')}"
        self._key, self._tls, self._idle_s = api_key, tls, idle_s
        self._open: dict[Address, list[ContextSocket]] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}
        self._pauses: dict[Address, tuple[float, float]] = {}
        """Until when nothing is tried after a refusal, and how long that is."""

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(map(len, self._open.values()))

    def prepare(self, address: Address) -> None:
        """Have a socket open soon, if none is free."""
        now = asyncio.get_running_loop().time()
        if not self._free(address) and now >= self._pauses.get(address, (0.0, 0.0))[0]:
            self._begin(address)

    async def speak(self, order: Order) -> AsyncGenerator[Chunk, None]:
        """The clip. Raises what our side of the wire raises, ScrizaError for what the vendor refuses."""
        socket = await self._leased(Address.of(order))
        clip = socket.speak(order)
        try:
            async for chunk in clip:
                yield chunk
        finally:
            await clip.aclose()

    async def close(self) -> None:
        """Close all of them."""
        tasks = list(self._opening.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sockets = [socket for sockets in self._open.values() for socket in sockets]
        self._open.clear()
        await asyncio.gather(*(socket.close() for socket in sockets))

    def _free(self, address: Address) -> ContextSocket | None:
        free = [socket for socket in self._open.get(address, []) if socket.free]
        return max(free, key=lambda socket: socket.free, default=None)

    async def _leased(self, address: Address) -> ContextSocket:
        for _ in range(CONTEXTS):
            if socket := self._free(address):
                return socket
            until, pause = self._pauses.get(address, (0.0, 0.0))
            if asyncio.get_running_loop().time() < until:
                raise UpstreamFailed(f"ElevenLabs' socket is tried again in {pause:g} s")
            await asyncio.shield(self._begin(address))
        raise RateLimited("ElevenLabs' sockets are all in use")

    def _begin(self, address: Address) -> "asyncio.Task[None]":
        task = self._opening.get(address)
        if task is None:
            task = self._opening[address] = asyncio.create_task(self._connect(address), name="elevenlabs opening")
            task.add_done_callback(_heard_of)
        return task

    async def _connect(self, address: Address) -> None:
        try:
            socket = ContextSocket(await self._connected(address), self._idle_s)
        except ScrizaError:
            self._pause(address)
            raise
        finally:
            del self._opening[address]
        self._pauses.pop(address, None)
        self._open.setdefault(address, []).append(socket)
        socket.reader.add_done_callback(lambda _: self._gone(address, socket))

    def _gone(self, address: Address, socket: ContextSocket) -> None:
        sockets = self._open.get(address, [])
        if socket in sockets:
            sockets.remove(socket)
        if not sockets:
            self._open.pop(address, None)

    async def _connected(self, address: Address) -> ClientConnection:
        if self.count >= SOCKETS:
            await self._make_room()
        query = {"model_id": address.model, "output_format": "ulaw_8000", "inactivity_timeout": _INACTIVITY_S}
        query |= {"sync_alignment": "true"} | ({"language_code": address.language} if address.language else {})
        with told_as_ours():
            async with asyncio.timeout(_OPEN_S):
                return await connect(
                    f"{self._url}/v1/text-to-speech/{address.voice_id}/multi-stream-input?{urlencode(query)}",
                    additional_headers={"xi-api-key": self._key},
                    ssl=self._tls if self._url.startswith("wss:") else None,
                    compression=None,
                    open_timeout=None,
                    close_timeout=CLOSE_S,
                    ping_interval=_PING_S,
                    ping_timeout=_PING_S,
                )

    def _pause(self, address: Address) -> None:
        if len(self._pauses) >= _KNOWN_PAUSES:
            self._pauses.clear()
        pause = min(2 * self._pauses.get(address, (0.0, 0.0))[1] or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._pauses[address] = (asyncio.get_running_loop().time() + pause, pause)
        _log.info("elevenlabs.socket_not_opened", again_in_s=pause)

    async def _make_room(self) -> None:
        for address, sockets in self._open.items():
            for socket in sockets:
                if socket.idle:
                    self._gone(address, socket)  # nobody takes it any more
                    await socket.close()
                    return
        raise RateLimited("ElevenLabs' sockets are all in use")


def _heard_of(task: "asyncio.Task[None]") -> None:
    """A socket that was only prepared has nobody who waits for its failure; the clip that needs it will tell."""
    if not task.cancelled():
        task.exception()
