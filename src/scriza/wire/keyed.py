"""The answer to a request under an ``Idempotency-Key``."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

from litestar.types import HTTPReceiveMessage, Message, Receive, Scope, Send

from scriza.kernel.errors import ScrizaError
from scriza.kernel.principal import current
from scriza.wire.answers import Answer
from scriza.wire.idempotency import REPLAYED, Claim, Replays, Reply, refusal
from scriza.wire.sse import HEARTBEAT
from scriza.wire.together import alongside

_NOT_OF_THE_REQUEST = {
    *(HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS),
}
"""Refusals that say nothing about the request itself: the same one may be taken later."""


class KeyedAnswer(Answer):
    """Sends what `answer` sends, and keeps it; or what was kept under the key.

    A key is sent by whoever wants the reply even if the connection is lost: the work goes on when the client leaves,
    so that a repetition finds its reply. A failure (5xx, or a stream that ends with an error) frees the key; a refusal
    of the request itself (4xx) is kept.
    """

    def __init__(self, answer: Answer, replays: Replays, key: str, fingerprint: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.replays = replays
        self.key = key
        self.fingerprint = fingerprint

    async def send_it(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Conflict and KeyReused, and what the answer raises."""
        context = current()
        claimed = await self.replays.claim(context.principal.workspace, self.key, self.fingerprint)
        if isinstance(claimed, Reply):
            await _give(claimed, send, replayed=True)
            return
        try:
            async with alongside(claimed.renewed()):
                recorder = _Recorder(send, self._keeping(claimed), self.replays.most_bytes)
                try:
                    await self.answer.send_it(scope, _for_ever, recorder)
                except ScrizaError as error:
                    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status in _NOT_OF_THE_REQUEST:
                        raise
                    refused = refusal(error, context.request_id)
                    await claimed.keep(refused)
                    await _give(refused, send, replayed=False)
        finally:
            await claimed.give_back()

    def _keeping(self, claim: Claim) -> Callable[[Reply], Awaitable[None]]:
        async def keep(reply: Reply) -> None:
            if not self.answer.failed:
                await claim.keep(reply)

        return keep


class _Recorder:
    """Passes an answer on. Before its last message, `keep` gets all of it, unless it is larger than `most_bytes`."""

    def __init__(self, send: Send, keep: Callable[[Reply], Awaitable[None]], most_bytes: int) -> None:
        self._send = send
        self._keep = keep
        self._most_bytes = most_bytes
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self._take(message["body"])
            if not message["more_body"] and self._bytes <= self._most_bytes:
                await self._keep(Reply(self._status, self._headers, b"".join(self._pieces)))
        await self._send(message)

    def _take(self, body: bytes) -> None:
        if body == HEARTBEAT:
            return
        self._bytes += len(body)
        if self._bytes <= self._most_bytes:
            self._pieces.append(body)
        else:
            self._pieces.clear()


async def _give(reply: Reply, send: Send, *, replayed: bool) -> None:
    headers = [*reply.headers, (REPLAYED, b"true")] if replayed else reply.headers
    await send(cast("Message", {"type": "http.response.start", "status": reply.status, "headers": headers}))
    await send(cast("Message", {"type": "http.response.body", "body": reply.body, "more_body": False}))


async def _for_ever() -> HTTPReceiveMessage:
    """Where the client's leaving would be told."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")
