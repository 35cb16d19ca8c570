"""A port's server side: the Litestar routes of all operations that the port declares."""

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import msgspec
from litestar import Router
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from typing_extensions import TypeForm

from scriza.kernel.operation import Kind, Operation, operations
from scriza.wire import problems
from scriza.wire.handlers import Resolve, http_handler
from scriza.wire.idempotency import Replays
from scriza.wire.socket_server import socket_handler

P = TypeVar("P")

HEARTBEAT_SECONDS = 5.0
BODY_SECONDS = 60.0
BUSY_SECONDS = 15.0
"""Less than a server takes that pings, and whose answer waits behind the blocks, to give the client up."""


def serve(
    port: TypeForm[P],
    implementation: P | Callable[[], P],
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
    body_seconds: float = BODY_SECONDS,
    busy_seconds: float = BUSY_SECONDS,
    replays: Replays | None = None,
    examples: Mapping[type[msgspec.Struct], msgspec.Struct] = {},
) -> Router:
    """The routes of `port`. Behind them stands `implementation`, or what it returns, asked anew for every request.

    A stream of events says every `heartbeat` seconds that it lives, so that a client can tell slow from dead. A body
    has to be there after `body_seconds`, and an implementation that lets a socket's blocks wait has to take one after
    `busy_seconds`. Operations that take an ``Idempotency-Key`` do so if there are `replays`; else the header means
    nothing. `examples` of requests, by their kind, are shown on the OpenAPI page. The router has no access rule of its
    own, and the context of its requests is the edge's work: mount it behind both.
    """
    described = cast("type", port)
    declared = operations(described)
    resolve = _resolver(implementation, declared)
    handlers: list[HTTPRouteHandler | WebsocketRouteHandler] = [
        socket_handler(operation, resolve, described.__name__, busy_seconds)
        if operation.kind is Kind.DUPLEX
        else http_handler(
            operation,
            resolve,
            described.__name__,
            heartbeat=heartbeat,
            body_seconds=body_seconds,
            replays=replays,
            example=None if operation.request is None else examples.get(operation.request),
        )
        for operation in declared
    ]
    return Router(path="/", route_handlers=handlers, tags=[described.__name__], exception_handlers=problems.HANDLERS)


def _resolver(implementation: object, declared: tuple[Operation, ...]) -> Resolve:
    missing = [operation.name for operation in declared if not callable(getattr(implementation, operation.name, None))]
    if not missing and not isinstance(implementation, type):
        return lambda: implementation
    if callable(implementation):
        return cast("Resolve", implementation)
    raise TypeError(f"{implementation!r} lacks {', '.join(missing)}")
