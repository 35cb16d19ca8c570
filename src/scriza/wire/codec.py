"""Messages as bytes: JSON bodies, server-sent events and socket messages of msgspec Structs.

A stream's items are tagged Structs. As a server-sent event the tag is the event's name and the data holds the other
fields; as a socket message the tag stands in the field ``type``. Two tags are the wire's own: ``error`` ends a stream
with problem details, and ``end`` says on a socket that the sender has no more blocks (a socket has no half close).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import UnionType
from typing import Any, Generic, Protocol, TypeVar, Union, get_args

import msgspec

from scriza.kernel.errors import BadInput, Problem

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

encode = msgspec.json.Encoder().encode
ERROR = "error"


class Decoder(Protocol[T_co]):
    """What msgspec's decoders have in common."""

    def decode(self, data: bytes | str, /) -> T_co:
        """Raises ValueError or RecursionError for what does not fit."""
        ...


def decode(decoder: Decoder[T], data: bytes | str, what: str) -> T:
    """Raises BadInput, saying what is wrong and where: ``Expected `int`, got `str` - at `$.limit```."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise BadInput(f"{what}: nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"{what}: {error}") from None


@contextmanager
def sendable() -> Iterator[None]:
    """Raises BadInput for a text with half a surrogate pair, which no message can carry."""
    try:
        yield
    except UnicodeEncodeError:
        raise BadInput("a text is not valid Unicode") from None


class End(msgspec.Struct, tag="end"):
    """The sender of blocks has no more of them."""


class Failure(msgspec.Struct, tag=ERROR, omit_defaults=True):
    """Problem details as a socket message; `problem` is what ``type`` is elsewhere."""

    title: str
    detail: str = ""
    status: int = 500
    problem: str = ""
    request_id: str = ""
    retry_after: int | None = None
    reason: str = ""

    @classmethod
    def of(cls, problem: Problem) -> "Failure":
        """The message that tells of `problem`."""
        told = msgspec.structs.asdict(problem)
        return cls(problem=told.pop("type"), **told)

    def to_problem(self) -> Problem:
        """The problem that this message tells of."""
        told = msgspec.structs.asdict(self)
        return Problem(type=told.pop("problem"), **told)


def kinds(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """The Structs of a union, or the one that stands alone. Raises TypeError for what a stream cannot carry."""
    members = get_args(union) if isinstance(union, UnionType) or get_args(union) else (union,)
    for member in members:
        config = getattr(member, "__struct_config__", None)
        if config is None or not isinstance(config.tag, str) or config.tag_field != "type":
            raise TypeError(f"{member!r} is not a Struct tagged by a `type`")
        if config.tag in {ERROR, "end"} and member not in {End, Failure}:
            raise TypeError(f"{member!r} takes a tag of the wire's own: {config.tag}")
    return members


def tag(kind: type[msgspec.Struct]) -> str:
    """The name that a message of this kind bears."""
    return str(kind.__struct_config__.tag)


class Events:
    """The server-sent events of one stream operation."""

    def __init__(self, items: Any) -> None:
        self._decoders = {tag(kind): msgspec.json.Decoder(kind) for kind in kinds(items)}
        self._heads = {kind: self._head(tag(kind)) for kind in kinds(items)}

    @staticmethod
    def _head(name: str) -> tuple[bytes, int]:
        return f"event: {name}\ndata: {{".encode(), len(encode({"type": name})) - 1

    def encode(self, item: msgspec.Struct) -> bytes:
        """The event's bytes. The tag is the first field that msgspec writes: it is cut off, with the comma after it."""
        head, tag_ends = self._heads[type(item)]
        return head + encode(item)[tag_ends:].removeprefix(b",") + b"\n\n"

    def decode(self, name: str, data: bytes) -> msgspec.Struct:
        """The item. Raises BadInput for an unknown name or data that does not fit."""
        decoder = self._decoders.get(name)
        if decoder is None:
            raise BadInput(f"unknown event {name!r}")
        return decode(decoder, data, f"event {name}")

    @staticmethod
    def failure(problem: Problem) -> bytes:
        """The event that ends a stream that failed."""
        return b"event: error\ndata: " + encode(problem) + b"\n\n"


class Blocks(Generic[T]):
    """The socket messages that one side of a duplex operation sends.

    The one kind that has the `binary` field, and no other, also travels as a binary message.
    """

    def __init__(self, union: Any, own: type[msgspec.Struct], binary: str = "") -> None:
        self._decoder: Decoder[T] = msgspec.json.Decoder(Union[(*kinds(union), own)])
        self._binary = binary
        carriers = [kind for kind in kinds(union) if kind.__struct_fields__ == (binary,)]
        if bool(carriers) != bool(binary):
            raise TypeError(f"no kind of {union} has just the field {binary!r}")
        self._carrier = carriers[0] if carriers else None

    def encode(self, block: msgspec.Struct) -> bytes | str:
        """Bytes for a binary message, text for a text message. Raises BadInput."""
        if self._carrier is not None and type(block) is self._carrier:
            return bytes(getattr(block, self._binary))
        with sendable():
            return encode(block).decode()

    def decode(self, message: bytes | str) -> T:
        """Raises BadInput."""
        if isinstance(message, str):
            return decode(self._decoder, message, "message")
        if self._carrier is None:
            raise BadInput("this socket takes no binary messages")
        return self._carrier(**{self._binary: message})  # type: ignore[return-value]  # T is the union's type
