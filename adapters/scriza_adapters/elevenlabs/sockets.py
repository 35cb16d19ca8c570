"""Sockets to the vendor that stay open: several clips share one, each in a context of its own.

``/v1/text-to-speech/{voice}/multi-stream-input``: a context begins with a space and its settings, gets its text with
`flush`, and is told to close once it has begun to sound, since only a closed context says that it is complete. Whoever
leaves a clip closes its context; the socket stays for the others. The message types are `InitializeConnectionMulti`,
`SendTextMulti`, `CloseContext` and `WebsocketTtsServerMessageMulti` of the vendor's SDK.
"""

import asyncio
import itertools
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from scriza.audio import mulaw
from scriza.kernel.errors import RateLimited, ScrizaError, UpstreamFailed
from scriza_adapters.elevenlabs.decoding import Alignment, Chunk
from scriza_adapters.elevenlabs.errors import code_among, refusal, told_as_ours
from scriza_adapters.elevenlabs.order import Order

_log = structlog.get_logger()

CONTEXTS = 5
"""Clips at once on a socket; the vendor takes no more."""
SOCKETS = 32
IDLE_S = 150.0
"""A socket on which nothing was said for so long is closed, before the vendor does it (after 180 s)."""
_INACTIVITY_S = 180
_PING_S = 20.0
_OPEN_S = 3.0
_CLOSE_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_WAITING = 1024
"""Messages of a context that nobody has taken yet."""
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


class _Said(msgspec.Struct, rename="camel"):
    audio: bytes | None = None
    is_final: bool | None = None
    context_id: str | None = None
    alignment: Alignment | None = None
    error: str | None = None
    message: str | None = None
    code: int | None = None


_said = msgspec.json.Decoder(_Said)


class _Socket:
    """One connection and the contexts on it. The reader is its one task."""

    def __init__(self, connection: ClientConnection, idle_s: float) -> None:
        self._connection = connection
        self._idle_s = idle_s
        self._contexts: dict[str, asyncio.Queue[_Said | ScrizaError]] = {}
        self._numbers = itertools.count(1)
        self._failure: ScrizaError | None = None
        self.reader = asyncio.create_task(self._read(), name="elevenlabs socket")

    @property
    def free(self) -> int:
        """How many clips it could make beside those that it makes."""
        return 0 if self.reader.done() or self._failure else CONTEXTS - len(self._contexts)

    @property
    def idle(self) -> bool:
        """Whether it makes nothing."""
        return not self._contexts

    async def close(self) -> None:
        """Close the connection; whoever still listens is told."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.close()
        self.reader.cancel()
        await asyncio.wait([self.reader])

    async def speak(self, order: Order) -> AsyncGenerator[Chunk, None]:
        """The clip. Leaving it closes its context."""
        context = f"c{next(self._numbers)}"
        said = self._contexts[context] = asyncio.Queue(_WAITING)
        closing = over = False
        received = 0
        try:
            await self._send(_beginning(order) | {"context_id": context})
            await self._send({"text": f"{order.text} ", "context_id": context, "flush": True})
            while True:
                message = await said.get()
                if isinstance(message, ScrizaError):
                    over = True
                    raise message
                if message.audio:
                    began_s = received / mulaw.SAMPLE_RATE
                    received += len(message.audio)
                    times = message.alignment
                    yield times.chunk(message.audio, began_s) if times else Chunk(message.audio)
                if message.is_final:
                    over = True
                    return
                if not closing:
                    closing = True
                    await self._send({"context_id": context, "close_context": True})
        finally:
            del self._contexts[context]
            if not closing and not over:
                with suppress(ConnectionClosed, TimeoutError):
                    async with asyncio.timeout(_CLOSE_S):
                        await self._send({"context_id": context, "close_context": True})

    async def _send(self, message: dict[str, object]) -> None:
        await self._connection.send(msgspec.json.encode(message).decode())

    async def _read(self) -> None:
        """Hand each message to its context, until the socket is closed or idle."""
        failure: ScrizaError = UpstreamFailed("ElevenLabs closed the socket")
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_s):
                        self._hand(_said.decode(await self._connection.recv()))
                    continue
                if self.idle:
                    return
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd else ""
            failure = UpstreamFailed(f"ElevenLabs closed the socket {code_among(reason)}".rstrip())
        except (msgspec.MsgspecError, ValueError):
            failure = UpstreamFailed("ElevenLabs answered with something else")
        finally:
            self._failure = self._failure or failure
            for said in self._contexts.values():
                _put(said, self._failure)
            if not self._connection.state.name.startswith("CLOS"):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CLOSE_S):
                        await self._connection.close()

    def _hand(self, message: _Said) -> None:
        if message.error or (message.code and message.audio is None):
            failure = _refusal(message)
            told = self._contexts.get(message.context_id or "")
            if told is None:
                self._failure = failure  # about the socket: nothing more will come
            for said in [told] if told else self._contexts.values():
                _put(said, failure)
        elif waiting := self._contexts.get(message.context_id or ""):
            _put(waiting, message)


class Sockets:
    """The open sockets of the process, by what they are bound to. Owns their tasks."""

    def __init__(self, url: str, api_key: str, tls: ssl.SSLContext, *, idle_s: float = IDLE_S) -> None:
        self._url = f"ws{url.removeprefix('http')}"
        self._key, self._tls, self._idle_s = api_key, tls, idle_s
        self._open: dict[Address, list[_Socket]] = {}
        self._opening: dict[Address, asyncio.Task[_Socket]] = {}
        self._pauses: dict[Address, tuple[float, float]] = {}
        """Until when nothing is tried after a refusal, and how long that is."""

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(not socket.reader.done() for sockets in self._open.values() for socket in sockets)

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

    def _free(self, address: Address) -> _Socket | None:
        sockets = self._open[address] = [each for each in self._open.get(address, []) if not each.reader.done()]
        if not sockets:
            del self._open[address]
        return max((each for each in sockets if each.free), key=lambda each: each.free, default=None)

    async def _leased(self, address: Address) -> _Socket:
        for _ in range(CONTEXTS):
            if socket := self._free(address):
                return socket
            until, pause = self._pauses.get(address, (0.0, 0.0))
            if asyncio.get_running_loop().time() < until:
                raise UpstreamFailed(f"ElevenLabs' socket is tried again in {pause:g} s")
            await asyncio.shield(self._begin(address))
        raise RateLimited("ElevenLabs' sockets are all in use")

    def _begin(self, address: Address) -> "asyncio.Task[_Socket]":
        task = self._opening.get(address)
        if task is None:
            task = self._opening[address] = asyncio.create_task(self._connect(address), name="elevenlabs opening")
            task.add_done_callback(lambda done: self._opened(address, done))
        return task

    async def _connect(self, address: Address) -> _Socket:
        if self.count >= SOCKETS:
            await self._make_room()
        query = {"model_id": address.model, "output_format": "ulaw_8000", "inactivity_timeout": _INACTIVITY_S}
        query |= {"sync_alignment": "true"} | ({"language_code": address.language} if address.language else {})
        with told_as_ours():
            async with asyncio.timeout(_OPEN_S):
                connection = await connect(
                    f"{self._url}/v1/text-to-speech/{address.voice_id}/multi-stream-input?{urlencode(query)}",
                    additional_headers={"xi-api-key": self._key},
                    ssl=self._tls if self._url.startswith("wss:") else None,
                    compression=None,
                    open_timeout=None,
                    close_timeout=_CLOSE_S,
                    ping_interval=_PING_S,
                    ping_timeout=_PING_S,
                )
        return _Socket(connection, self._idle_s)

    async def _make_room(self) -> None:
        for sockets in self._open.values():
            for socket in sockets:
                if socket.idle:
                    sockets.remove(socket)
                    await socket.close()
                    return
        raise RateLimited("ElevenLabs' sockets are all in use")

    def _opened(self, address: Address, task: "asyncio.Task[_Socket]") -> None:
        del self._opening[address]
        if task.cancelled():
            return
        if task.exception() is None:
            self._pauses.pop(address, None)
            self._open.setdefault(address, []).append(task.result())
            return
        if len(self._pauses) >= _KNOWN_PAUSES:
            self._pauses.clear()
        pause = min(2 * self._pauses.get(address, (0.0, 0.0))[1] or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._pauses[address] = (asyncio.get_running_loop().time() + pause, pause)
        _log.info("elevenlabs.socket_not_opened", again_in_s=pause)


def _beginning(order: Order) -> dict[str, object]:
    manner = order.manner
    settings = {"stability": manner.stability, "similarity_boost": manner.similarity, "speed": manner.speed}
    message: dict[str, object] = {"text": " ", "voice_settings": settings}
    if manner.style:
        settings["style"] = manner.style
    if order.dictionaries:
        message["pronunciation_dictionary_locators"] = [
            {"pronunciation_dictionary_id": each.id, "version_id": each.version} for each in order.dictionaries
        ]
    return message


def _put(said: "asyncio.Queue[_Said | ScrizaError]", message: "_Said | ScrizaError") -> None:
    if said.full():
        said.get_nowait()
        message = UpstreamFailed("ElevenLabs sends faster than it is heard")
    said.put_nowait(message)


def _refusal(message: _Said) -> ScrizaError:
    """The vendor tells a code by name, in one field or the other; its number is that of the socket's closing."""
    code = code_among(message.error, message.message)
    statuses = {"quota_exceeded": 401, "voice_not_found": 404, "invalid_api_key": 401, "payment_required": 402}
    if "concurrent" in code or code in {"rate_limit_exceeded", "system_busy"}:
        return refusal(429, code)
    return refusal(statuses.get(code, 500), code)
