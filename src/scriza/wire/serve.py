"""A port's server side: Litestar routes made from the operations that the port declares.

Whatever a caller does that ends its request (a closed connection, an expired deadline) cancels the implementation's
work: a coroutine is cancelled, a generator is closed, and either has run its `finally` before the request is over.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, TypeVar, cast

import msgspec
from litestar import Response, Router
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, QueryParameter
from litestar.types import ASGIApp, Method, Receive, Scope, Send
from typing_extensions import TypeForm

from scriza.kernel.errors import BadInput, Problem
from scriza.kernel.operation import Kind, Operation, operations
from scriza.kernel.remarks import remarks
from scriza.wire import problems
from scriza.wire.codec import Events, decode, encode
from scriza.wire.sockets import socket_handler
from scriza.wire.together import alongside, close, deadline

P = TypeVar("P")

JSON_LIMIT = 2 * 1024 * 1024
BINARY_LIMIT = 64 * 1024 * 1024
"""Bytes of a request's body; the second for operations that take audio. An implementation may allow less."""

HEARTBEAT_SECONDS = 5.0
"""A stream says that it lives at least this often, so that a client can tell a slow answer from a dead peer."""

_PROBLEM = partial(ResponseSpec, data_container=Problem, media_type=problems.MEDIA_TYPE, generate_examples=False)
_REFUSALS = {
    400: _PROBLEM(description="The request is not valid"),
    401: _PROBLEM(description="A valid credential is needed"),
    413: _PROBLEM(description="The request is too large"),
    503: _PROBLEM(description="Not available now"),
    504: _PROBLEM(description="It took too long"),
}


def serve(port: TypeForm[P], implementation: P | Callable[[], P]) -> Router:
    """The routes of `port`; behind them stands `implementation`, or what it returns, asked anew for every request.

    The router brings no access rule of its own: mount it below one.
    """
    described = cast("type", port)
    declared = operations(described)
    resolve = _resolver(implementation, declared)
    handlers: list[HTTPRouteHandler | WebsocketRouteHandler] = [
        socket_handler(operation, resolve, described.__name__)
        if operation.kind is Kind.DUPLEX
        else _http_handler(operation, resolve, described.__name__)
        for operation in declared
    ]
    return Router(path="/", route_handlers=handlers, tags=[described.__name__], exception_handlers=problems.HANDLERS)


def _resolver(implementation: object, declared: tuple[Operation, ...]) -> Callable[[], object]:
    complete = all(callable(getattr(implementation, operation.name, None)) for operation in declared)
    if complete and not isinstance(implementation, type):
        return lambda: implementation
    if callable(implementation):
        return implementation
    missing = [operation.name for operation in declared if not hasattr(implementation, operation.name)]
    raise TypeError(f"{implementation!r} lacks {', '.join(missing)}")


def _http_handler(operation: Operation, resolve: Callable[[], object], port: str) -> HTTPRouteHandler:
    answer: type[_Unary | _Stream] = _Unary if operation.kind is Kind.UNARY else _Stream
    codec = Events(operation.reply) if operation.kind is Kind.STREAM else None
    in_query = operation.request is not None and operation.verb == "GET"
    fields = {field.name for field in msgspec.structs.fields(operation.request)} if operation.request else set()
    body = _body_decoder(operation) if operation.request is not None and not in_query else None

    async def handle(**values: object) -> Response[bytes]:
        if body is not None:
            request = values["data"] if values["data"] is not None else body.empty()
        elif in_query:
            request = _converted(operation, {name: value for name, value in values.items() if name in fields})
        else:
            request = None
        arguments = [values[name] if name in operation.parameters else request for name in operation.arguments]
        return answer(operation, partial(_call, resolve, operation.name, arguments), codec)

    handle.__name__ = operation.name
    handle.__qualname__ = f"{port}.{operation.name}"
    parameters, returned = _signature(operation, in_query)
    handle.__signature__ = inspect.Signature(parameters, return_annotation=returned)  # type: ignore[attr-defined]
    handle.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": returned}
    return HTTPRouteHandler(
        operation.path.replace("}", ":str}"),
        http_method=cast("Method", operation.verb),
        status_code=204 if operation.reply is type(None) else 200,
        operation_id=f"{port}.{operation.name}",
        summary=operation.summary,
        dto=body,
        return_dto=None,
        request_max_body_size=BINARY_LIMIT if operation.binary else JSON_LIMIT,
        responses=_REFUSALS | _streamed(operation),
        opt={UNCOMPRESSED: operation.kind is Kind.STREAM},
    )(handle)


UNCOMPRESSED = "uncompressed"
"""The key of a handler's `opt` that keeps Litestar's compression off: `CompressionConfig(exclude_opt_key=…)`."""


def _call(resolve: Callable[[], object], name: str, arguments: list[object]) -> Any:
    return getattr(resolve(), name)(*arguments)


def _streamed(operation: Operation) -> dict[int, ResponseSpec]:
    if operation.kind is not Kind.STREAM:
        return {}
    return {
        200: ResponseSpec(
            operation.reply,
            description="Server-sent events, named by the item's `type`",
            media_type="text/event-stream",
            generate_examples=False,
        )
    }


def _signature(operation: Operation, in_query: bool) -> tuple[list[inspect.Parameter], Any]:
    """What Litestar reads: it documents from it, and takes path and query apart by it."""
    hints: dict[str, tuple[Any, Any]] = dict.fromkeys(operation.parameters, (FromPath[str], inspect.Parameter.empty))
    if operation.request is not None and in_query:
        types = msgspec.structs.fields(operation.request)
        hints |= {field.name: (Annotated[field.type, QueryParameter()], _default(field)) for field in types}
    elif operation.request is not None:
        hints["data"] = (Annotated[operation.request, BodyKwarg()], None)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)
        for name, (hint, default) in hints.items()
    ]
    return parameters, Response.__class_getitem__(operation.reply)  # type: ignore[attr-defined]  # Generic has it


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return inspect.Parameter.empty if field.default_factory is msgspec.NODEFAULT else field.default_factory()


class _Body(AbstractDTO[Any]):
    """Decodes a body strictly, as msgspec does, where Litestar would take ``"5"`` for a number."""

    operation: ClassVar[Operation]
    decoder: ClassVar[msgspec.json.Decoder[Any]]

    def decode_bytes(self, value: bytes) -> Any:
        binary = self.operation.binary
        content_type = self.asgi_connection.headers.get("content-type", "application/json")
        if not binary or content_type.partition(";")[0].strip().endswith("json"):
            return decode(self.decoder, value, "body")
        return _converted(self.operation, {**_queried(self.operation, self.asgi_connection), binary: value})

    @classmethod
    def empty(cls) -> Any:
        raise BadInput("the body is empty")

    @classmethod
    def create_for_field_definition(cls, *args: Any, **kwargs: Any) -> None:
        """Nothing to prepare."""

    @classmethod
    def create_openapi_schema(cls, field_definition: Any, handler_id: str, schema_creator: Any) -> Any:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Any:
        return iter(())

    @classmethod
    def detect_nested_field(cls, field_definition: Any) -> bool:
        return False


def _body_decoder(operation: Operation) -> type[_Body]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(cast("type", operation.request))
    return type("Body", (_Body,), {"operation": operation, "decoder": decoder})


def _queried(operation: Operation, connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, object]:
    """What the query tells of the request's fields."""
    told: dict[str, object] = {}
    for field in msgspec.structs.fields(cast("type", operation.request)):
        values = connection.query_params.getall(field.name, [])
        if values:
            is_list = isinstance(msgspec.inspect.type_info(field.type), msgspec.inspect.ListType)
            told[field.name] = values if is_list else values[-1]
    return told


def _converted(operation: Operation, values: dict[str, object]) -> msgspec.Struct:
    """The request out of strings. Raises BadInput."""
    try:
        return msgspec.convert(values, cast("type[msgspec.Struct]", operation.request), strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"query: {error}") from None


class _Gone(Exception):
    """The client has closed its connection."""


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _Gone


class _Answer(Response[bytes]):
    """An answer that makes itself while it is sent, so that one task does all of it and can be cancelled as one."""

    def __init__(self, operation: Operation, call: Callable[[], Any], codec: Events | None) -> None:
        super().__init__(b"")
        self.operation = operation
        self.call = call
        self.codec = codec

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]  # an ASGI app is enough
        return self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


class _Unary(_Answer):
    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        with remarks() as noted:
            try:
                async with alongside(_leaving(receive)), deadline(self.operation.timeout, self.operation.name):
                    reply = await cast("Awaitable[object]", self.call())
            except _Gone:
                return
        body = b"" if reply is None else encode(reply)
        headers = [(b"content-length", str(len(body)).encode()), *_encoded(noted)]
        if reply is not None:
            headers.append((b"content-type", b"application/json"))
        await send({"type": "http.response.start", "status": 204 if reply is None else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class _Stream(_Answer):
    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with alongside(_leaving(receive)):
                items = cast("AsyncIterator[msgspec.Struct]", self.call())
                try:
                    await self._send_all(items, send)
                finally:
                    await close(items)
        except _Gone:
            return

    async def _send_all(self, items: AsyncIterator[msgspec.Struct], send: Send) -> None:
        codec = cast("Events", self.codec)
        with remarks() as noted:
            async with deadline(self.operation.timeout, f"the first item of {self.operation.name}"):
                first = await anext(items, None)
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache, no-transform")]
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, *_encoded(noted)]})

        async def write(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        try:
            if first is not None:
                await write(codec.encode(first))
                async for item in items:
                    await write(codec.encode(item))
        except Exception as error:  # the status is sent: whatever it is, it goes into the stream
            await write(codec.failure(problems.told(error)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
