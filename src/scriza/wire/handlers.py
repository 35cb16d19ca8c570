"""A unary or stream operation as a Litestar route handler.

The handler's signature is made from the operation, since Litestar reads from it where arguments come from and what
the OpenAPI page says.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, cast, get_args

import msgspec
from litestar import Request, Response
from litestar.constants import RESERVED_KWARGS
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, RequestBody, Schema
from litestar.openapi.spec import Operation as Documented
from litestar.params import BodyKwarg, FromPath, HeaderParameter, QueryParameter
from litestar.types import Method

from scriza.kernel.errors import Conflict, KeyReused, PreconditionFailed
from scriza.kernel.operation import SCOPE, Kind, Operation
from scriza.wire import etags, problems
from scriza.wire.answers import Answer, StreamAnswer, UnaryAnswer
from scriza.wire.bodies import body_decoder, converted, read_body
from scriza.wire.codec import Events
from scriza.wire.idempotency import HEADER, Replays, fingerprint, key_of
from scriza.wire.keyed import KeyedAnswer

Resolve = Callable[[], object]
"""Returns the implementation that answers one request."""

JSON_LIMIT = 2 * 1024 * 1024
BINARY_LIMIT = 64 * 1024 * 1024
"""Bytes of a request's body; the second for operations that take audio. An implementation may allow less."""

_KEY_REFUSALS = {
    Conflict.status: problems.documented(
        description=f"{Conflict.title}; or the first request with this key is under way"
    ),
    KeyReused.status: problems.documented(description=KeyReused.title),
}
_TAG_REFUSALS = {PreconditionFailed.status: problems.documented(description=PreconditionFailed.title)}
_KEY = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        description="A string in quotes. Within 24 hours, the same request with the same key is answered by the first "
        "reply, with `idempotency-replayed: true`; a reply that failed (5xx), or of more than a megabyte, is not kept.",
    ),
]
_KEY_ARGUMENT = "idempotency_key"
_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")


def _documented(operation: Operation, example: msgspec.Struct | None) -> type[Documented]:
    """What Litestar does not tell of a request's body: an example of it, and that a binary field may be all of it."""

    @dataclass
    class WithBody(Documented):
        def __post_init__(self) -> None:
            if operation.request is None or self.request_body is None:
                return
            content = cast("RequestBody", self.request_body).content
            if example is not None:
                content["application/json"].example = msgspec.to_builtins(example)
            if operation.binary:
                raw = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
                content["application/octet-stream"] = OpenAPIMediaType(schema=raw)

    return WithBody


def http_handler(
    operation: Operation,
    resolve: Resolve,
    port: str,
    *,
    heartbeat: float,
    body_seconds: float,
    replays: Replays | None,
    example: msgspec.Struct | None,
) -> HTTPRouteHandler:
    """The route of a unary or stream operation."""
    replays = replays if operation.keyed else None
    in_query = operation.request is not None and operation.verb == "GET"
    body = body_decoder(operation) if operation.request is not None and not in_query else None
    conditional = etags.takes_if_match(operation)
    answer = _answers(operation, heartbeat)

    async def handle(**values: object) -> Response[bytes]:
        request: object = None
        connection = values.pop("request", None)
        key = values.pop(_KEY_ARGUMENT, None)
        tag = values.pop(etags.IF_MATCH, None) if conditional else None
        if body is not None:
            # Litestar decodes no empty body.
            data = values["data"]
            request = data if data is not None else body(cast("Request[Any, Any, Any]", connection)).decode_bytes(b"")
        elif in_query:
            told = {name: value for name, value in values.items() if value is not None}
            request = converted(operation, told)
        if tag is not None:
            request = etags.conditional(request, cast("str", tag))
        arguments = [values.get(name, request) for name in operation.arguments]
        made = answer(lambda: getattr(resolve(), operation.name)(*arguments))
        if replays is None or key is None:
            return made
        return KeyedAnswer(made, replays, key_of(cast("str", key)), fingerprint(operation, arguments))

    handle.__name__ = operation.name
    handle.__qualname__ = f"{port}.{operation.name}"
    parameters = [*_path_parameters(operation), *(_query_parameters(operation) if in_query else [])]
    if body is not None:
        parameters.append(_parameter("data", Annotated[operation.request, BodyKwarg()], None))
        parameters.append(_parameter("request", Request[Any, Any, Any]))
    if replays is not None:
        parameters.append(_parameter(_KEY_ARGUMENT, _KEY, None))
    if conditional:
        parameters.append(_parameter(etags.IF_MATCH, etags.IfMatch, None))
    reply = Response.__class_getitem__(operation.reply)  # type: ignore[attr-defined]  # a Generic has it
    handle.__signature__ = inspect.Signature(parameters, return_annotation=reply)  # type: ignore[attr-defined]  # for Litestar
    handle.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": reply}
    return HTTPRouteHandler(
        operation.path.replace("}", ":str}"),
        http_method=cast("Method", operation.verb),
        opt={SCOPE: operation.scope},
        status_code=204 if operation.reply is type(None) else 200,
        operation_id=f"{port}.{operation.name}",
        operation_class=_documented(operation, example),
        summary=operation.summary,
        before_request=None if body is None else partial(read_body, body_seconds),
        dto=body,
        return_dto=None,
        request_max_body_size=BINARY_LIMIT if operation.binary else JSON_LIMIT,
        responses=problems.REFUSALS
        | (_KEY_REFUSALS if replays is not None else {})
        | (_TAG_REFUSALS if conditional else {})
        | _answered(operation),
    )(handle)


def _answers(operation: Operation, heartbeat: float) -> Callable[[Callable[[], Any]], Answer]:
    if operation.kind is Kind.UNARY:
        return partial(UnaryAnswer, operation)
    return partial(StreamAnswer, operation, Events(operation.reply), heartbeat)


def _answered(operation: Operation) -> dict[int, ResponseSpec]:
    """What Litestar does not tell of an answer by itself."""
    if operation.reply is type(None):
        return {204: ResponseSpec(None, description="It is done")}
    if operation.kind is Kind.UNARY:
        return {}
    told = "Server-sent events, named by the item's `type`; `error` with problem details ends a stream that failed"
    return {
        200: ResponseSpec(operation.reply, generate_examples=False, description=told, media_type="text/event-stream")
    }


def _parameter(name: str, annotation: object, default: object = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _path_parameters(operation: Operation) -> list[inspect.Parameter]:
    return [_parameter(name, FromPath[str]) for name in operation.parameters]


def _query_parameters(operation: Operation) -> list[inspect.Parameter]:
    """One for each of the request's fields, with the constraints of its `msgspec.Meta`.

    Litestar takes no default that is not hashable, such as a list: None stands for such a one.
    """
    found = []
    for field in msgspec.structs.fields(cast("type[msgspec.Struct]", operation.request)):
        if field.name in RESERVED_KWARGS:
            raise TypeError(f"{operation.name}: a query cannot have a field {field.name!r}, which Litestar takes")
        metas = [meta for meta in get_args(field.type) if isinstance(meta, msgspec.Meta)]
        limits = {
            name: getattr(meta, name) for meta in metas for name in _CONSTRAINTS if getattr(meta, name) is not None
        }
        annotation, default = field.type, field.default
        if field.default_factory is not msgspec.NODEFAULT:
            annotation, default = field.type | None, None
        elif default is msgspec.NODEFAULT:
            default = inspect.Parameter.empty
        found.append(_parameter(field.name, Annotated[annotation, QueryParameter(**limits)], default))
    return found
