"""Where a page of a list ends, as text that its reader hands back for the next one."""

import base64
from typing import TypeVar

import msgspec

from scriza.kernel.errors import BadInput

S = TypeVar("S", bound=msgspec.Struct)


def cursor(place: msgspec.Struct) -> str:
    """The place as text that may stand in a query."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(text: str, kind: type[S]) -> S:
    """The place that `cursor` made the text of. Raises BadInput for what it did not make."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (ValueError, RecursionError) as error:
        raise BadInput("the cursor is not one that a page has given") from error
