"""HTTP connections that hold no more than they should for somebody who has not said who they are.

The parser keeps a request's head until it is whole, however long that is, and the server waits for it however long that
takes. Both end here, before anything of ours sees the request.
"""

import asyncio
from typing import ClassVar

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from scriza.kernel.errors import Problem
from scriza.kernel.ids import new_id
from scriza.wire import problems
from scriza.wire.codec import encode

_log = structlog.get_logger()


class BoundedHttp(HttpToolsProtocol):
    """A connection of uvicorn's.

    Whatever is no body (the line, headers, trailers, the framing of chunks) has `most_head_bytes`, beside what one read
    of the socket brings. `patience_seconds` is how long a head may take, the rest of a body after its answer, and
    becoming a websocket. `most_waiting_requests` may come before the one in front of them is answered.
    """

    most_head_bytes: ClassVar[int] = 64 * 1024
    patience_seconds: ClassVar[float] = 20.0
    most_waiting_requests: ClassVar[int] = 16

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """The first head is waited for."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._between_requests = True
        self._impatient: asyncio.TimerHandle | None = None
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        self._come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless there is too much of it that is no body."""
        if self._between_requests:
            self._wait()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > self.most_head_bytes and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._head_bytes = 0
        self._between_requests = False
        self._come()
        if len(self.pipeline) >= self.most_waiting_requests:
            _log.warning("http.too_many_wait")
            self.transport.abort()
            raise httptools.HttpParserError  # so that nothing more of what was read is looked at
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of a body, which whoever reads it bounds."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._head_bytes = 0
        self._between_requests = True
        self._come()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Who has the answer to a request, and has not sent all of it yet, is not waited for long."""
        super().on_response_complete()
        if not self._between_requests and self.cycle.response_complete:
            self._wait()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over. What cannot be read as an upgrade, though the parser took it for one, is silent."""
        super().handle_websocket_upgrade()
        self.loop.call_later(self.patience_seconds, _break_off_unless_open, self.transport)

    def send_400_response(self, msg: str) -> None:
        """Tell whoever still listens."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _wait(self) -> None:
        if self._impatient is None and not self.transport.is_closing():
            self._impatient = self.loop.call_later(self.patience_seconds, self.transport.abort)

    def _come(self) -> None:
        if self._impatient is not None:
            self._impatient.cancel()
            self._impatient = None

    def _refuse(self) -> None:
        _log.warning("http.head_too_large")
        if self.cycle is None or self.cycle.response_complete:
            detail = f"a request's line and headers have at most {self.most_head_bytes} bytes"
            problem = Problem("about:blank", "Request Header Fields Too Large", 431, detail, new_id("req"))
            body = encode(problem)
            head = f"HTTP/1.1 431 {problem.title}\r\ncontent-type: {problems.MEDIA_TYPE}\r\nconnection: close\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            self.transport.close()
        else:
            self.transport.abort()  # who does not read its answer would keep a mere close waiting


def _break_off_unless_open(transport: asyncio.Transport) -> None:
    protocol = transport.get_protocol()
    if isinstance(protocol, WebSocketsSansIOProtocol) and not protocol.handshake_complete:
        transport.abort()
