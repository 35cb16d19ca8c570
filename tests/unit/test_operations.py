"""What an operation's declaration says, and which declarations are refused."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec
import pytest

from scriza.kernel.operation import Kind, operation, operations
from scriza.wire import serve
from tests.contract.echo import Bye, Count, Counted, Echo, Find, Flush, Heard, Hello, Number, Piece, Said, Say


def test_a_ports_operations_are_read_in_the_order_of_their_declaration() -> None:
    told = {one.name: one for one in operations(Echo)}
    assert list(told)[:6] == ["say", "say_again", "say_soon", "measure", "find", "part"]
    say, find, part, count, talk = (told[name] for name in ("say", "find", "part", "count", "talk"))
    assert (say.kind, say.verb, say.path, say.request, say.reply) == (Kind.UNARY, "POST", "/v1/echo", Say, Said)
    assert (say.summary, say.timeout, say.idempotent) == ("The same words.", 10.0, False)
    assert (find.request, find.idempotent) == (Find, True)
    assert (part.request, part.parameters, part.arguments) == (None, ("name", "part"), ("name", "part"))
    assert (count.kind, count.request, count.reply) == (Kind.STREAM, Count, Number | Counted)
    assert (talk.kind, talk.request, talk.blocks) == (Kind.DUPLEX, Hello, Piece | Flush | Bye)
    assert (talk.reply, talk.binary, talk.arguments) == (Heard, "payload", ("opening", "blocks"))
    assert told["forget"].reply is type(None)


def test_arguments_are_bound_as_a_method_binds_them() -> None:
    part = next(one for one in operations(Echo) if one.name == "part")
    assert part.bind(("a",), {"part": "b"}) == {"name": "a", "part": "b"}
    for args, kwargs in ((("a",), {}), (("a", "b", "c"), {}), (("a", "b"), {"part": "c"}), (("a",), {"other": "b"})):
        with pytest.raises(TypeError, match=r"part takes \(name, part\)"):
            part.bind(args, kwargs)


@pytest.mark.parametrize("route", ["POST", "POST v1", "FETCH /v1", "/v1", ""])
def test_a_route_has_a_verb_and_a_path(route: str) -> None:
    with pytest.raises(ValueError, match="not a route"):
        operation(route)


def refused(declare: Callable[[], type]) -> str:
    with pytest.raises(TypeError) as raised:
        operations(declare())
    return str(raised.value)


def test_a_signature_that_is_of_no_kind_is_refused() -> None:
    def two_structs() -> type:
        class Port(Protocol):
            @operation("POST /a")
            async def act(self, first: Say, second: Say) -> Said: ...

        return Port

    def socket_without_blocks() -> type:
        class Port(Protocol):
            @operation("WS /a")
            def act(self, opening: Hello) -> AsyncIterator[Heard]: ...

        return Port

    def blocks_without_socket() -> type:
        class Port(Protocol):
            @operation("POST /a")
            def act(self, opening: Hello, blocks: AsyncIterator[Piece]) -> AsyncIterator[Heard]: ...

        return Port

    def a_number() -> type:
        class Port(Protocol):
            @operation("GET /a/{number}")
            async def act(self, number: int) -> Said: ...

        return Port

    for declare in (two_structs, socket_without_blocks, blocks_without_socket, a_number):
        assert "is neither a unary, a stream nor a duplex operation" in refused(declare)


def test_a_path_and_its_parameters_belong_together() -> None:
    def missing() -> type:
        class Port(Protocol):
            @operation("GET /a/{name}")
            async def act(self) -> Said: ...

        return Port

    def needless() -> type:
        class Port(Protocol):
            @operation("GET /a")
            async def act(self, name: str) -> Said: ...

        return Port

    for declare in (missing, needless):
        assert "are not the placeholders of /a" in refused(declare)


def test_what_may_be_the_body_is_a_field_of_the_request() -> None:
    def declare() -> type:
        class Port(Protocol):
            @operation("POST /a", binary="audio")
            async def act(self, request: Say) -> Said: ...

        return Port

    assert "has no field 'audio'" in refused(declare)


class Untagged(msgspec.Struct):
    text: str


class Error(msgspec.Struct, tag="error"):
    text: str


class Reserved(msgspec.Struct):
    query: str = ""


class Streams(Protocol):
    @operation("POST /a")
    def act(self, request: Say) -> AsyncIterator[Untagged]: ...


class Errors(Protocol):
    @operation("POST /a")
    def act(self, request: Say) -> AsyncIterator[Number | Error]: ...


class Queries(Protocol):
    @operation("GET /a")
    async def act(self, query: Reserved) -> Said: ...


class Sockets(Protocol):
    @operation("WS /a", binary="audio")
    def act(self, opening: Hello, blocks: AsyncIterator[Piece | Flush]) -> AsyncIterator[Heard]: ...


@pytest.mark.parametrize(
    ("port", "why"),
    [
        (Streams, "is not a Struct tagged by a `type`"),
        (Errors, "takes a tag of the wire's own: error"),
        (Queries, "a query cannot have a field 'query'"),
        (Sockets, "has just the field 'audio'"),
    ],
)
def test_a_port_that_cannot_be_served_is_refused_when_it_is_mounted(port: type, why: str) -> None:
    class Anything:
        def act(self, *args: object) -> None: ...

    with pytest.raises(TypeError, match=why):
        serve(port, Anything())


def test_what_lacks_a_method_is_no_implementation() -> None:
    class Half:
        async def say(self, request: Say) -> Said:
            raise NotImplementedError

    with pytest.raises(TypeError, match="lacks say_again, say_soon, measure"):
        serve(Echo, Half())  # type: ignore[arg-type]  # what is tested
