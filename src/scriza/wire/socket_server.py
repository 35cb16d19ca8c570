"""A duplex operation's server side: one WebSocket, whose first message opens, then blocks come and items go.

An implementation that raises, and a client that sends what is not a message, end the socket with an `error` message and
a close code of 4000 plus the problem's status.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec
from litestar import WebSocket
from litestar.handlers import WebsocketRouteHandler

from scriza.kernel.errors import BadInput, TooLarge
from scriza.kernel.operation import SCOPE, Operation
from scriza.kernel.principal import current
from scriza.wire import problems
from scriza.wire.codec import Blocks, End, Failure, encode, tag
from scriza.wire.context import REQUEST_ID
from scriza.wire.together import PeerLeft, Turns, alongside, close, deadline

BLOCK_LIMIT = 1024 * 1024
"""Bytes of one message."""

QUEUED_BLOCKS = 64
"""Blocks that wait for a busy implementation before the socket is no longer read and the client has to wait."""


def socket_handler(
    operation: Operation, resolve: Callable[[], object], port: str, busy_seconds: float
) -> WebsocketRouteHandler:
    """The route of a duplex operation."""
    duplex = _Duplex(operation, resolve, busy_seconds)

    async def handle(socket: WebSocket[Any, Any, Any]) -> None:
        await duplex.serve(socket)

    handle.__name__ = operation.name
    handle.__qualname__ = f"{port}.{operation.name}"
    return WebsocketRouteHandler(operation.path, opt={SCOPE: operation.scope})(handle)


class _Duplex:
    def __init__(self, operation: Operation, resolve: Callable[[], object], busy_seconds: float) -> None:
        self.operation = operation
        self.resolve = resolve
        self.busy_seconds = busy_seconds
        opening = cast("type[msgspec.Struct]", operation.request)
        self.opening_tag = tag(opening)
        self.opening: Blocks[msgspec.Struct] = Blocks(opening, End)
        self.blocks: Blocks[msgspec.Struct] = Blocks(operation.blocks, End, operation.binary)

    async def serve(self, socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept(headers={REQUEST_ID: current().request_id})
        try:
            await self._exchange(socket)
            await socket.close(1000)
        except (PeerLeft, OSError):
            return
        except Exception as error:
            # The outermost shell of this socket: `problem_of` logs what is not for the client.
            problem = problems.problem_of(error)
            try:
                await socket.send_data(encode(Failure.of(problem)).decode())
                await socket.close(4000 + problem.status, problem.title)
            except OSError:
                return

    async def _exchange(self, socket: WebSocket[Any, Any, Any]) -> None:
        async with deadline(self.operation.timeout, "the opening"):
            message = await _receive(socket)
        opening = self.opening.decode(message) if isinstance(message, str) else End()
        if isinstance(opening, End):
            raise BadInput(f'the first message is a text one, {{"type": "{self.opening_tag}", …}}')
        queue: asyncio.Queue[msgspec.Struct] = asyncio.Queue(QUEUED_BLOCKS)
        turns = Turns()
        async with alongside(self._pump(socket, queue)):
            items: AsyncIterator[msgspec.Struct] = getattr(self.resolve(), self.operation.name)(opening, _drain(queue))
            try:
                async for item in items:
                    await socket.send_data(encode(item).decode())
                    await turns.take()
            finally:
                await close(items)

    async def _pump(self, socket: WebSocket[Any, Any, Any], queue: asyncio.Queue[msgspec.Struct]) -> None:
        """Reads all the time, so that a client that leaves is noticed while the implementation is busy.

        While the queue is full that is not seen, so it may not stay full for ever.
        """
        block: msgspec.Struct | None = None
        while not isinstance(block, End):
            block = self.blocks.decode(await _receive(socket))
            async with deadline(self.busy_seconds, "taking a block"):
                await queue.put(block)
        await _receive(socket)
        raise BadInput("nothing follows `end`")


async def _receive(socket: WebSocket[Any, Any, Any]) -> str | bytes:
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise PeerLeft
    binary = event.get("bytes")
    message = cast("str | bytes", binary if binary is not None else event.get("text"))
    if len(message) > BLOCK_LIMIT:
        raise TooLarge(f"a message is longer than {BLOCK_LIMIT} bytes")
    return message


async def _drain(queue: asyncio.Queue[msgspec.Struct]) -> AsyncIterator[msgspec.Struct]:
    while not isinstance(block := await queue.get(), End):
        yield block
