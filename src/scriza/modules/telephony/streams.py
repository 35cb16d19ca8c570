"""Media streams at the door: who may open one, which call it belongs to, and who answers it.

A stream is refused before its socket is accepted where that can be told from the request, and else as soon as its
`start` message has come. Whatever happens on one socket stays there.
"""

import asyncio
from typing import Protocol

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Conflict, Forbidden, NotFound, ScrizaError, TooLarge, Unavailable
from scriza.kernel.principal import Principal, acting, current
from scriza.modules.telephony.call_log import CallLog, JournaledCall, StatusReport
from scriza.modules.telephony.media import Connected, MediaSocket, SocketClosed, Start, Unknown, decode
from scriza.modules.telephony.signatures import Signature, SignatureGate
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.twiml import TOKEN_PARAMETER

START_SECONDS = 10.0
"""How long a socket may take to say which call it is."""

_ATTACH_SECONDS = 5.0
_MOST_BEFORE_START = 10
_IMPLIED = 0
"""A media stream means that the call is in progress, which Twilio tells of no incoming call. Whatever it does tell in
a numbered callback stands over this."""
_CLOSE_CODES: dict[type[ScrizaError], int] = {
    BadInput: 1007,
    Forbidden: 1008,
    NotFound: 1008,
    Conflict: 1008,
    TooLarge: 1009,
    Unavailable: 1013,
}

_log = structlog.get_logger()


class Switchboard(Protocol):
    """Leads calls."""

    async def answer(self, socket: MediaSocket, start: Start, call: JournaledCall) -> None:
        """Lead the call over this stream until the stream is over."""
        ...


class StreamDoor:
    """Lets streams in to the switchboard."""

    def __init__(
        self,
        log: CallLog,
        gate: SignatureGate,
        tokens: StreamTokens,
        switchboard: Switchboard,
        *,
        now: WallClock = utc_now,
    ) -> None:
        self._calls = log
        self._gate = gate
        self._tokens = tokens
        self._switchboard = switchboard
        self._now = now

    async def admit(self, target: str, signature: Signature, token: str) -> str:
        """The CallSid that the token in the path is for; empty when there is none and `start` has to bring it.

        Raises Forbidden, Unavailable.
        """
        try:
            self._gate.upgrade(target, signature)
            return await self._tokens.redeem(token) if token else ""
        except ScrizaError as refusal:
            _log.warning("stream.refused", reason=refusal.detail)
            raise

    async def serve(self, socket: MediaSocket, admitted: str) -> None:
        """See an accepted socket to its end; `admitted` is what `admit` returned."""
        try:
            start = await self._first(socket)
            call = await self._attach(start, admitted)
        except SocketClosed as closed:
            _log.info("stream.closed_early", code=closed.code)
            return
        except ScrizaError as refusal:
            _log.warning("stream.refused", reason=refusal.detail)
            await socket.close(_CLOSE_CODES.get(type(refusal), 1011))
            return
        principal = Principal(call.workspace, subject="telephony")
        with acting(principal, request_id=current().request_id, call_id=call.call_id):
            await self._answer(socket, start, call)

    async def _first(self, socket: MediaSocket) -> Start:
        try:
            async with asyncio.timeout(START_SECONDS):
                for _ in range(_MOST_BEFORE_START):
                    message = decode(await socket.receive())
                    if isinstance(message, Start):
                        return message
                    if not isinstance(message, Connected | Unknown):
                        break
        except TimeoutError as error:
            raise Forbidden(f"no start message within {START_SECONDS:.0f} s") from error
        raise BadInput("other messages came before start")

    async def _attach(self, start: Start, admitted: str) -> JournaledCall:
        told = start.start.call_sid
        if not admitted:
            await self._tokens.redeem(start.start.custom_parameters.get(TOKEN_PARAMETER, ""), call_id=told)
        elif admitted != told:
            raise Forbidden("the stream token belongs to another call")
        try:
            async with asyncio.timeout(_ATTACH_SECONDS):
                await self._calls.report(StatusReport(told, "in-progress", _IMPLIED, self._now()))
                call = await self._calls.attach(told)
        except TimeoutError as error:
            raise Unavailable("the call could not be read in time") from error
        if call.ended_reason:
            raise Conflict("the call has ended")
        return call

    async def _answer(self, socket: MediaSocket, start: Start, call: JournaledCall) -> None:
        _log.info("stream.attached", stream=start.stream_sid, streams=call.attached)
        code = 1011
        try:
            await self._switchboard.answer(socket, start, call)
            code = 1000
        except SocketClosed as closed:
            _log.info("stream.closed", code=closed.code)
        except ScrizaError as refusal:
            _log.warning("stream.failed", reason=refusal.detail)
            code = _CLOSE_CODES.get(type(refusal), 1011)
        except Exception:
            # This stream's outermost shell: Twilio asks how to go on, and the call can be attached again.
            _log.exception("stream.failed")
        finally:
            await socket.close(code)
