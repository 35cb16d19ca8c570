"""The media stream's socket, from Twilio's side.

A websocket client without a task or queue of its own: what arrives is handled where it arrives, what is sent is
written at once, so that one process can play hundreds of calls.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from scriza.simulator.messages import Refused

_MAX_MESSAGE = 1 << 20
_HANDSHAKE_SECONDS = 10.0
_CLOSE_SECONDS = 2.0


class MediaStream(asyncio.Protocol):
    """An open socket. `receive` gets each text message, `refuse` each fault of the other side (code and reason)."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self._protocol = ClientProtocol(parse_uri(url), max_size=_MAX_MESSAGE)
        self._headers = headers
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = loop.create_future()
        self._parts: list[bytes] = []
        self._congested = False
        self._overflowed = False
        self.ended: asyncio.Future[int] = loop.create_future()
        """Done when the socket is gone, with the other side's close code; 1006 when there was none."""
        self.receive: Callable[[bytes], None] = _ignore
        self.refuse: Callable[[int, str], None] = _ignore_fault

    @staticmethod
    async def open(url: str, headers: dict[str, str]) -> "MediaStream":
        """Connect and shake hands. Raises Refused with 31920 when the other side does not accept it."""
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        stream = MediaStream(url, headers)
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: stream,
                    parts.hostname or "",
                    parts.port or (443 if secure else 80),
                    ssl=ssl.create_default_context() if secure else None,
                )
                await stream._opened
        except InvalidStatus as error:
            raise Refused(31920, f"the handshake was answered with {error.response.status_code}") from error
        except ssl.SSLError as error:
            raise Refused(31910, f"no secure connection: {error.reason}") from error
        except (OSError, InvalidHandshake) as error:
            raise Refused(31920, f"the handshake failed: {str(error) or type(error).__name__}") from error
        except BaseException:
            stream.abort()
            raise
        return stream

    def send(self, message: bytes) -> None:
        """Send a text message; nothing happens when the socket is closing."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(message)
            self._flush()

    def send_audio(self, message: bytes) -> None:
        """Send a media message; dropped while the other side does not read (Twilio's warning 31930)."""
        if not self._congested:
            self.send(message)
        elif not self._overflowed:
            self._overflowed = True
            self.refuse(31930, "audio was dropped: the other side reads too slowly")

    async def close(self) -> None:
        """Close properly; when the other side does not answer in time, abort."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.shield(self.ended)
        self.abort()

    def ignore(self) -> None:
        """Whatever still arrives is nobody's business any more."""
        self.receive, self.refuse = _ignore, _ignore_fault

    def abort(self) -> None:
        """Break the connection without a word."""
        self._opened.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        # uvloop's transports are no subclass of asyncio's, so this cannot be asserted.
        self._transport = cast("asyncio.Transport", transport)
        request = self._protocol.connect()
        request.headers.update(self._headers)
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Handle what is complete."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._received(event)
            elif isinstance(event, Response):
                self._answered()
        self._flush()

    def eof_received(self) -> bool:
        """The other side has said all; the connection closes."""
        self._protocol.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
        if not self._opened.done():
            self._opened.set_exception(InvalidHandshake("the connection was closed"))
        if isinstance(self._protocol.parser_exc, Exception) and not isinstance(self._protocol.parser_exc, EOFError):
            self.refuse(31924, f"websocket protocol error: {self._protocol.parser_exc}")
        if not self.ended.done():
            received = self._protocol.close_rcvd
            self.ended.set_result(1006 if received is None else received.code)

    def pause_writing(self) -> None:
        """The other side does not keep up."""
        self._congested = True

    def resume_writing(self) -> None:
        """It does again."""
        self._congested = False

    def _answered(self) -> None:
        if self._opened.done():
            return
        if self._protocol.handshake_exc is None:
            self._opened.set_result(None)
        else:
            self._opened.set_exception(self._protocol.handshake_exc)

    def _received(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT and frame.fin:
            self.receive(bytes(frame.data))
        elif frame.opcode is Opcode.BINARY:
            self.refuse(31950, "a binary message")
        elif frame.opcode is Opcode.TEXT:
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._parts:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self.receive(b"".join(self._parts))
                self._parts = []

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()


def _ignore(message: bytes) -> None:
    pass


def _ignore_fault(code: int, reason: str) -> None:
    pass
