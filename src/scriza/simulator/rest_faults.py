"""A REST API's bad days, on demand."""

import asyncio
from collections import deque

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from scriza.simulator.options import Fault


class _Problem(msgspec.Struct):
    code: int
    status: int
    message: str = "a fault that was ordered"
    more_info: str = ""


def with_faults(app: ASGIApp, faults: deque[Fault]) -> ASGIApp:
    """The API, whose requests meet the faults that are ordered: each is met once, the first that matches first."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        if scope["type"] == ScopeType.HTTP:
            request = f"{scope['method']} {scope['path']}"
            fault = next((fault for fault in faults if fault.match in request), None)
        if fault is None:
            await app(scope, receive, send)
            return
        faults.remove(fault)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if fault.done:
            await app(scope, receive, keep)
        await asyncio.sleep(fault.delay_ms / 1000)
        if not fault.status and not fault.done:
            await app(scope, receive, keep)
        for message in _answer(fault) if fault.status else answer:
            await send(message)

    return served


def _answer(fault: Fault) -> list[Message]:
    headers = [(b"content-type", b"application/json")]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    body = msgspec.json.encode(_Problem(fault.code, fault.status))
    return [
        {"type": "http.response.start", "status": fault.status, "headers": headers},
        {"type": "http.response.body", "body": body, "more_body": False},
    ]
