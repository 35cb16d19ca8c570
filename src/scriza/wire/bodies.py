"""Requests out of bodies and queries, decoded by msgspec and refused with where and why."""

from collections.abc import Iterator
from typing import Any, ClassVar, cast

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.exceptions import InternalServerException
from litestar.typing import FieldDefinition

from scriza.kernel.errors import BadInput
from scriza.kernel.operation import Operation
from scriza.wire.codec import decode
from scriza.wire.together import deadline

_NEVER_BINARY = ("multipart/", "text/", "application/x-www-form-urlencoded")
"""How media types begin whose bodies are written by something that takes them for a form or for words."""


def converted(operation: Operation, values: dict[str, object]) -> msgspec.Struct:
    """The operation's request out of a query's strings. Raises BadInput."""
    try:
        return msgspec.convert(values, cast("type[msgspec.Struct]", operation.request), strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"query: {error}") from None


async def read_body(seconds: float, request: Request[Any, Any, Any]) -> None:
    """Wait for the whole body, which the request then keeps. Raises BadInput when its sender left, DeadlineExceeded."""
    async with deadline(seconds, "the body"):
        try:
            await request.body()
        except InternalServerException as error:
            raise BadInput("body: it broke off") from error


class BodyDecoder(AbstractDTO[msgspec.Struct]):
    """A body as the operation's request: JSON, or the bytes of its binary field with the other fields in the query.

    As Litestar's "data transfer object", since that is who decodes bodies there; otherwise Litestar would convert
    loosely, and take ``"5"`` for a number.
    """

    operation: ClassVar[Operation]
    decoder: ClassVar[msgspec.json.Decoder[msgspec.Struct]]

    def decode_bytes(self, value: bytes) -> msgspec.Struct:
        """Raises BadInput, also for a form or a text where the body itself is the binary field."""
        binary = self.operation.binary
        told = self.asgi_connection.headers.get("content-type", "application/json")
        media_type = told.partition(";")[0].strip().lower()
        if not binary or media_type == "application/json" or media_type.endswith("+json"):
            if not value:
                raise BadInput("body: it is empty")
            return decode(self.decoder, value, "body")
        if media_type.startswith(_NEVER_BINARY):
            raise BadInput(f"a body of {media_type} is not {binary}; application/octet-stream is taken, and JSON")
        return converted(self.operation, {**self._queried(), binary: value})

    def _queried(self) -> dict[str, object]:
        told: dict[str, object] = {}
        for field in msgspec.structs.fields(cast("type[msgspec.Struct]", self.operation.request)):
            values = self.asgi_connection.query_params.getall(field.name, [])
            if values:
                is_list = isinstance(msgspec.inspect.type_info(field.type), msgspec.inspect.ListType)
                told[field.name] = values if is_list else values[-1]
        return told

    @classmethod
    def create_for_field_definition(cls, *_: object, **__: object) -> None:
        """Nothing is prepared: the class is made for one operation."""

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Any:
        """The schema of the Struct itself."""
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Iterator[DTOFieldDefinition]:  # type: ignore[override]  # none
        """No field is treated in a way of its own."""
        return iter(())

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """No field is."""
        return False


def body_decoder(operation: Operation) -> type[BodyDecoder]:
    """The decoder of one operation's bodies."""
    decoder: object = msgspec.json.Decoder(cast("type[msgspec.Struct]", operation.request))
    return type(f"{operation.name}_body", (BodyDecoder,), {"operation": operation, "decoder": decoder})
