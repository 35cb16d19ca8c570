"""A duplex operation's client side: blocks go out on a task of their own while items come in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from scriza.kernel.errors import BadInput, ScrizaError, TooLarge, UpstreamFailed
from scriza.kernel.operation import Operation
from scriza.wire import problems
from scriza.wire.codec import Blocks, End, Failure
from scriza.wire.line import Line
from scriza.wire.together import deadline, to_its_end

CLOSE_SECONDS = 2.0


def duplex_call(operation: Operation, line: Line) -> Callable[..., Any]:
    """The method of a client that opens a socket for each call of it."""
    outgoing: Blocks[msgspec.Struct] = Blocks(operation.blocks, End, operation.binary)
    incoming: Blocks[msgspec.Struct] = Blocks(operation.reply, Failure)

    async def call(*args: object, **kwargs: object) -> AsyncIterator[msgspec.Struct]:
        values = operation.bind(args, kwargs)
        opening, blocks = (values[name] for name in operation.arguments)
        async with deadline(operation.timeout, operation.name):
            socket = await _open(operation, line)
        sender = _Sender(socket, outgoing)
        sending = asyncio.create_task(sender.send(opening, blocks))
        try:
            while (message := await _receive(operation, socket, sender)) is not None:
                try:
                    item = incoming.decode(message)
                except BadInput as error:
                    raise UpstreamFailed(f"{operation.name}: {error.detail}") from error
                if isinstance(item, Failure):
                    raise ScrizaError.from_problem(item.to_problem())
                yield item
        finally:
            sending.cancel()
            await to_its_end(asyncio.create_task(_close(socket, sending)))

    return call


async def _close(socket: ClientConnection, sending: asyncio.Task[None]) -> None:
    await asyncio.wait([sending])
    await socket.close()


async def _open(operation: Operation, line: Line) -> ClientConnection:
    try:
        return await connect(
            f"ws{line.url.removeprefix('http')}{operation.path}",
            additional_headers=line.headers(),
            user_agent_header=None,
            compression=None,
            ssl=line.tls,
            proxy=None,
            open_timeout=None,
            close_timeout=CLOSE_SECONDS,
        )
    except InvalidStatus as error:
        refusal = error.response
        content_type = refusal.headers.get("content-type", "")
        raise problems.error_of(refusal.status_code, content_type, bytes(refusal.body or b"")) from error
    except (OSError, InvalidHandshake) as error:
        raise line.unavailable(operation, "cannot be reached", error) from error


class _Sender:
    """Sends the caller's blocks. What the caller's own iterator raises closes the socket and is kept for the caller."""

    def __init__(self, socket: ClientConnection, codec: Blocks[msgspec.Struct]) -> None:
        self._socket = socket
        self._codec = codec
        self.error: Exception | None = None

    async def send(self, opening: msgspec.Struct, blocks: AsyncIterator[msgspec.Struct]) -> None:
        try:
            await self._socket.send(self._codec.encode(opening))
            async for block in blocks:
                await self._socket.send(self._codec.encode(block))
            await self._socket.send(self._codec.encode(End()))
        except ConnectionClosed:
            return
        except Exception as error:
            self.error = error
            await self._socket.close(1011)


async def _receive(operation: Operation, socket: ClientConnection, sender: _Sender) -> str | bytes | None:
    """The next message; none when the other side has ended the exchange in good order."""
    try:
        return await socket.recv()
    except ConnectionClosed as closed:
        if sender.error is not None:
            raise sender.error from None
        code = closed.rcvd.code if closed.rcvd is not None else 1006
        if code == 1000:
            return None
        if code == 1009:
            raise TooLarge(f"{operation.name}: a message is too long for the other side") from closed
        raise UpstreamFailed(f"{operation.name}: the socket broke off with code {code}") from closed
