"""What an implementation says about a reply beside its message: response headers such as ``x-scriza-cache: hit``."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NAME = re.compile(r"x-scriza-[a-z0-9-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")

_remarks: ContextVar[dict[str, str] | None] = ContextVar("scriza_remarks", default=None)


def note_header(name: str, value: str) -> None:
    """Send the header `name` (``x-scriza-…``) with the reply that is being made; without a caller to tell, do nothing.

    A stream's headers leave with its first item: what is noted later is not sent. A name or value that is not printable
    ASCII raises ValueError.
    """
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"not a header of ours: {name!r}: {value!r}")
    noted = _remarks.get()
    if noted is not None:
        noted[name] = value


@contextmanager
def remarks() -> Iterator[dict[str, str]]:
    """Collect what is noted inside; within another collection, an own one."""
    noted: dict[str, str] = {}
    token = _remarks.set(noted)
    try:
        yield noted
    finally:
        _remarks.reset(token)
