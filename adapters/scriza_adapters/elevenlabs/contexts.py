"""One socket to the vendor: several clips share it, each in a context of its own.

``/v1/text-to-speech/{voice}/multi-stream-input``: a context begins with a space and its settings, gets its text with
`flush`, and is told to close once it has begun to sound, since only a closed context says that it is complete. Whoever
leaves a clip closes its context; the socket stays for the others. The message types are `InitializeConnectionMulti`,
`SendTextMulti`, `CloseContext` and `WebsocketTtsServerMessageMulti` of the vendor's SDK.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import suppress

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from scriza.audio import mulaw
from scriza.kernel.errors import ScrizaError, UpstreamFailed
from scriza_adapters.elevenlabs.decoding import Alignment, Chunk
from scriza_adapters.elevenlabs.errors import code_among, refusal
from scriza_adapters.elevenlabs.order import Order

CONTEXTS = 5
"""Clips at once on a socket; the vendor takes no more."""
CLOSE_S = 1.0
_WAITING = 1024
"""Messages of a context that nobody has taken yet."""


class _Said(msgspec.Struct, rename="camel"):
    audio: bytes | None = None
    is_final: bool | None = None
    context_id: str | None = None
    alignment: Alignment | None = None
    error: str | None = None
    message: str | None = None
    code: int | None = None


_said = msgspec.json.Decoder(_Said)


class ContextSocket:
    """One connection and the contexts on it. The reader is its one task."""

    def __init__(self, connection: ClientConnection, idle_s: float) -> None:
        self._connection = connection
        self._idle_s = idle_s
        self._contexts: dict[str, asyncio.Queue[_Said | ScrizaError]] = {}
        self._left: set[str] = set()
        """Contexts that nobody listens to any more, and that the vendor has not closed yet: they count there."""
        self._numbers = itertools.count(1)
        self._failure: ScrizaError | None = None
        self.reader = asyncio.create_task(self._read(), name="elevenlabs socket")

    @property
    def free(self) -> int:
        """How many clips it could make beside those that it makes."""
        used = len(self._contexts) + len(self._left)
        return 0 if self.reader.done() or self._failure else max(0, CONTEXTS - used)

    @property
    def idle(self) -> bool:
        """Whether it makes nothing."""
        return not self._contexts

    async def close(self) -> None:
        """Close the connection; whoever still listens is told."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
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
            if not over:
                self._left.add(context)
            if not closing and not over:
                with suppress(ConnectionClosed, TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
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
                    async with asyncio.timeout(CLOSE_S):
                        await self._connection.close()

    def _hand(self, message: _Said) -> None:
        context = message.context_id or ""
        if message.is_final or message.error:
            self._left.discard(context)
        waiting = self._contexts.get(context)
        if not message.error and not (message.code and message.audio is None):
            if waiting:
                _put(waiting, message)
            return
        failure = _refusal(message)
        if waiting:
            _put(waiting, failure)
        elif not context:  # about the socket: nothing more will come
            self._failure = failure
            for said in self._contexts.values():
                _put(said, failure)


def _beginning(order: Order) -> dict[str, object]:
    manner = order.manner
    settings = {"stability": manner.stability, "similarity_boost": manner.similarity, "speed": manner.speed}
    message: dict[str, object] = {"text": " ", "voice_settings": settings}
    if manner.style:
        settings["style"] = manner.style
    if order.dictionaries:
        message["pronunciation_dictionary_locators"] = [
            {"pronunciation_dictionary_id": each.id} | ({"version_id": each.version} if each.version else {})
            for each in order.dictionaries
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
