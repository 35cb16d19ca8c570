"""Operations: a port's method says where it is served, and its annotations say what passes through.

A port is a `Protocol`; each method carries `@operation("POST /v1/turn")`. From that declaration `scriza.wire`
derives the HTTP routes, the client and the OpenAPI page. The kind follows from the signature:

- one reply: ``async def turn(self, request: Turn) -> TurnReply``
- a stream of replies, by server-sent events: ``def stream_turn(self, request: Turn) -> AsyncIterator[TurnPart]``
- both ways, by a socket: ``def stream(self, opening: Start, blocks: AsyncIterator[Block]) -> AsyncIterator[Heard]``

A stream's items are tagged msgspec Structs; the tag is the SSE event's name, or a socket message's ``type``.
"""

import inspect
import re
from collections.abc import AsyncIterator, Callable, Mapping
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

F = TypeVar("F", bound=Callable[..., object])

SCOPE = "scope"
"""Under which name a route tells the edge what its operation asks of callers."""
_MARK = "__scriza_operation__"
_PLACEHOLDER = re.compile(r"{(\w+)}")


class Kind(Enum):
    """How many messages pass, and which way."""

    UNARY = "one reply"
    STREAM = "a stream of replies"
    DUPLEX = "a stream both ways"


class Declaration(msgspec.Struct, frozen=True):
    """What the decorator was told."""

    verb: str
    path: str
    binary: str
    timeout: float
    idempotent: bool
    keyed: bool
    versioned: bool
    scope: str


class Operation(msgspec.Struct, frozen=True):
    """One door of a port, read from a decorated method.

    `request` is None for an operation without a body whose path parameters, if any, are the method's own string
    parameters (`parameters`). `blocks` is the union of client messages of a duplex operation. `arguments` are the names
    of all the method's parameters, in their order.
    """

    name: str
    verb: str
    path: str
    kind: Kind
    request: type[msgspec.Struct] | None
    reply: Any
    """The reply's type, or the union of a stream's items."""
    blocks: Any
    parameters: tuple[str, ...]
    arguments: tuple[str, ...]
    binary: str
    """The request's (or block's) `bytes` field that may also travel as a raw body (or binary message)."""
    timeout: float
    """Seconds to the reply, to the first item of a stream, or to the opening of a socket."""
    idempotent: bool
    """Asking twice does no harm: a request that was lost on its way is sent once more."""
    keyed: bool
    """Whoever asks may send an ``Idempotency-Key``: under one key it is done once, and the reply is given again."""
    versioned: bool
    """The reply's `etag` is sent as ``ETag`` too, and the request's `if_match`, if it has one, may be ``If-Match``."""
    scope: str
    """What a caller must hold, of `kernel.scopes`; empty is for other processes of ours only."""
    summary: str

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, Any]:
        """The arguments of one call by their names. Raises TypeError, as a method of these arguments would."""
        values = {**dict(zip(self.arguments, args, strict=False)), **kwargs}
        if len(args) + len(kwargs) != len(self.arguments) or values.keys() != set(self.arguments):
            raise TypeError(f"{self.name} takes ({', '.join(self.arguments)})")
        return values


def operation(
    route: str,
    *,
    binary: str = "",
    timeout: float = 10.0,
    idempotent: bool = False,
    keyed: bool = False,
    versioned: bool = False,
    scope: str = "",
) -> Callable[[F], F]:
    """Declare where a port's method is served (``"POST /v1/turn"``, ``"WS /v1/stream"``), and which scope opens it."""
    verb, _, path = route.partition(" ")
    if verb not in {"GET", "POST", "DELETE", "PUT", "WS"} or not path.startswith("/"):
        raise ValueError(f"not a route: {route!r}")
    if keyed and verb != "POST":
        raise ValueError(f"only a POST takes a key: {route!r}")
    declaration = Declaration(verb, path, binary, timeout, idempotent or verb == "GET", keyed, versioned, scope)

    def mark(method: F) -> F:
        setattr(method, _MARK, declaration)
        return method

    return mark


def operations(port: type) -> tuple[Operation, ...]:
    """All operations that a port declares, in the order of their declaration.

    Raises TypeError when a method's annotations fit none of the three kinds.
    """
    methods = ((name, member) for name, member in vars(port).items() if hasattr(member, _MARK))
    return tuple(_read(name, method, getattr(method, _MARK)) for name, method in methods)


def _read(name: str, method: Callable[..., object], told: Declaration) -> Operation:
    hints = get_type_hints(method)
    returned = hints.pop("return", None)
    arguments = tuple(inspect.signature(method).parameters)[1:]
    takes = [hints[argument] for argument in arguments]
    streamed = get_origin(returned) is AsyncIterator
    kind = Kind.UNARY if not streamed else Kind.DUPLEX if told.verb == "WS" else Kind.STREAM
    structs = [kind_ for kind_ in takes if isinstance(kind_, type) and issubclass(kind_, msgspec.Struct)]
    strings = tuple(parameter for parameter, hint in hints.items() if hint is str)
    blocks = get_args(takes[1])[0] if kind is Kind.DUPLEX and len(takes) == 2 else None
    fits = len(structs) + len(strings) + (blocks is not None) == len(takes) and len(structs) <= 1
    if not fits or (kind is Kind.DUPLEX) != (told.verb == "WS") or (blocks is None) == (kind is Kind.DUPLEX):
        raise TypeError(f"{method.__qualname__} is neither a unary, a stream nor a duplex operation: {hints}")
    if set(_PLACEHOLDER.findall(told.path)) != set(strings):
        raise TypeError(f"{method.__qualname__} takes {strings}, which are not the placeholders of {told.path}")
    if told.binary and kind is not Kind.DUPLEX and not (structs and told.binary in structs[0].__struct_fields__):
        raise TypeError(f"{method.__qualname__} has no field {told.binary!r} that could be the body")
    if told.versioned and "etag" not in getattr(returned, "__struct_fields__", ()):
        raise TypeError(f"{method.__qualname__} replies without an etag")
    return Operation(
        name=name,
        verb=told.verb,
        path=told.path,
        kind=kind,
        request=structs[0] if structs else None,
        reply=get_args(returned)[0] if streamed else returned,
        blocks=blocks,
        parameters=strings,
        arguments=arguments,
        binary=told.binary,
        timeout=told.timeout,
        idempotent=told.idempotent,
        keyed=told.keyed,
        versioned=told.versioned,
        scope=told.scope,
        summary=(inspect.getdoc(method) or name).partition("\n")[0],
    )
