"""``ETag``, ``If-Match`` and ``If-None-Match`` (RFC 9110, sections 8.8.3 and 13.1).

An operation that is `versioned` has the tag in its messages: `etag` in what it replies, `if_match` in what it is asked
to change. Over HTTP both may be headers as well.
"""

import re
from typing import Annotated, cast

import msgspec
from litestar.params import HeaderParameter

from scriza.kernel.errors import BadInput
from scriza.kernel.operation import Operation

IF_MATCH = "if_match"
"""The request's field, and the argument of a handler that takes the header."""
ETAG = "etag"
"""The reply's field."""

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The `etag` of what is to be changed: when something else stands there by now, nothing is done and "
        "the answer is 412. `*` is whatever stands there.",
    ),
]

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")


def takes_if_match(operation: Operation) -> bool:
    """Whether the operation changes what has a tag."""
    return operation.versioned and operation.request is not None and IF_MATCH in operation.request.__struct_fields__


def conditional(request: object, header: str) -> msgspec.Struct:
    """The request, with the header's tag in its field. Raises BadInput when there are several, or another one in it."""
    value = header.strip()
    quoted = _TAG.fullmatch(value)
    tag = quoted[1] if quoted else value if _BARE.fullmatch(value) else ""
    if not tag or value.startswith("W/"):
        raise BadInput("If-Match takes one strong entity tag, in quotes, or *")
    asked = cast("msgspec.Struct", request)
    if getattr(asked, IF_MATCH) not in {"", tag}:
        raise BadInput("If-Match and if_match are not the same")
    return msgspec.structs.replace(asked, **{IF_MATCH: tag})


def has(if_none_match: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names the tag: whoever asks has the reply already."""
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
