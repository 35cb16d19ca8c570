"""Twilio's doors over HTTP: the webhooks and the media socket.

They check their callers themselves, by signature and token. Media frames pass the framework as raw ASGI messages.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from litestar import Request, Response, WebSocket, post, websocket
from litestar.exceptions import InternalServerException, WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.params import FromPath
from litestar.types import Scope

from scriza.kernel.errors import BadInput, DeadlineExceeded, ScrizaError
from scriza.modules.telephony.media import SocketClosed
from scriza.modules.telephony.messages import Messages
from scriza.modules.telephony.recordings.callback import PATH as RECORDING_PATH
from scriza.modules.telephony.recordings.callback import RecordingCallback
from scriza.modules.telephony.signatures import Signature
from scriza.modules.telephony.streams import StreamDoor
from scriza.modules.telephony.webhooks import Webhook, Webhooks

BODY_SECONDS = 10.0
"""In which a webhook's body has to come. Twilio waits 15 s for the answer."""

_MOST_BYTES = 64 * 1024
_TWIML = "text/xml; charset=utf-8"

_log = structlog.get_logger()
_Request = Request[Any, Any, Any]
_WebSocket = WebSocket[Any, Any, Any]


def webhook_routes(webhooks: Callable[[], Webhooks]) -> list[HTTPRouteHandler]:
    """``/voice`` and what is below it, and ``/status-callback``; `webhooks` is asked each time."""

    @post("/voice", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def voice(request: _Request) -> Response[str]:
        return _twiml(await webhooks().voice(await _webhook(request)))

    @post("/voice/after", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def after(request: _Request) -> Response[str]:
        return _twiml(await webhooks().after(await _webhook(request)))

    @post("/voice/fallback", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def fallback(request: _Request) -> Response[str]:
        return _twiml(webhooks().fallback(await _webhook(request)))

    @post("/voice/dialled", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def dialled(request: _Request) -> Response[str]:
        return _twiml(await webhooks().dialled(await _webhook(request)))

    @post("/voice/whisper", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def whisper(request: _Request) -> Response[str]:
        return _twiml(await webhooks().whisper(await _webhook(request)))

    @post("/voice/whispered", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def whispered(request: _Request) -> Response[str]:
        return _twiml(await webhooks().whispered(await _webhook(request)))

    @post("/voice/answered-by", status_code=204, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def answered_by(request: _Request) -> None:
        await webhooks().answered_by(await _webhook(request))

    @post("/status-callback", status_code=204, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def status(request: _Request) -> None:
        await webhooks().status(await _webhook(request))

    return [voice, after, fallback, dialled, whisper, whispered, answered_by, status]


def message_routes(messages: Callable[[], Messages]) -> list[HTTPRouteHandler]:
    """``/sms``; `messages` is asked each time."""

    @post("/sms", status_code=200, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def sms(request: _Request) -> Response[str]:
        return _twiml(await messages().receive(await _webhook(request)))

    return [sms]


def recording_routes(callback: Callable[[], RecordingCallback]) -> list[HTTPRouteHandler]:
    """``/recording-callback``; `callback` is asked each time."""

    @post(RECORDING_PATH, status_code=204, include_in_schema=False, request_max_body_size=_MOST_BYTES)
    async def recording_status(request: _Request) -> None:
        await callback().tell(await _webhook(request))

    return [recording_status]


def stream_routes(door: Callable[[], StreamDoor]) -> list[WebsocketRouteHandler]:
    """``/stream`` and ``/stream/{token}``; `door` is asked each time."""

    async def serve(socket: _WebSocket, token: str) -> None:
        at = door()
        try:
            admitted = await at.admit(_target(socket.scope), _signature(socket), token)
        except ScrizaError:
            await socket.close(1008)  # not accepted yet, so the answer is a plain 403
            return
        await socket.accept()
        await at.serve(AsgiMediaSocket(socket), admitted)

    @websocket("/stream")
    async def stream(socket: _WebSocket) -> None:
        await serve(socket, "")

    @websocket("/stream/{token:str}")
    async def stream_with_token(socket: _WebSocket, token: FromPath[str]) -> None:
        await serve(socket, token)

    return [stream, stream_with_token]


class AsgiMediaSocket:
    """A `MediaSocket` over an accepted ASGI websocket.

    A peer that neither reads nor answers is noticed by the server's keep-alive pings, which break a send that waits.
    """

    def __init__(self, socket: _WebSocket) -> None:
        self._receive = socket.receive
        self._send = socket.send
        self._closed = False

    async def receive(self) -> str:
        """See `MediaSocket`."""
        try:
            message = await self._receive()
        except WebSocketDisconnect as error:
            raise SocketClosed(error.code) from error
        if message["type"] != "websocket.receive":
            self._closed = True
            code = message.get("code")
            raise SocketClosed(code if isinstance(code, int) else 1005)
        text = message.get("text")
        if text is None:
            raise BadInput("a media message is text, not binary")
        return text

    async def send(self, text: str) -> None:
        """See `MediaSocket`."""
        try:
            await self._send({"type": "websocket.send", "bytes": None, "text": text})
        except (OSError, RuntimeError, WebSocketDisconnect) as error:
            # What servers raise on a socket that is gone differs: a disconnect, or a complaint about the state.
            raise SocketClosed from error

    async def close(self, code: int = 1000) -> None:
        """See `MediaSocket`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": ""})
        except (OSError, RuntimeError, WebSocketDisconnect):
            _log.debug("stream.gone_before_close")


async def _webhook(request: _Request) -> Webhook:
    return Webhook(
        target=_target(request.scope),
        content_type=request.headers.get("content-type", ""),
        body=await _body(request),
        signature=_signature(request),
        idempotency_token=request.headers.get("i-twilio-idempotency-token", ""),
    )


async def _body(request: _Request) -> bytes:
    """All of it, of somebody who may be anybody. Raises BadInput when it breaks off, DeadlineExceeded."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError as error:
        raise DeadlineExceeded(f"the body took longer than {BODY_SECONDS:g} s") from error
    except InternalServerException as error:
        raise BadInput("the body broke off") from error


def _signature(connection: _Request | _WebSocket) -> Signature:
    return Signature(
        connection.headers.get("x-twilio-signature", ""),
        connection.headers.get("x-twilio-webhooks-signature-settings", ""),
    )


def _target(scope: Scope) -> str:
    """The path and query as they stood in the request line, which is what was signed."""
    query = scope["query_string"]
    return (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")


def _twiml(document: str) -> Response[str]:
    return Response(document, media_type=_TWIML)
