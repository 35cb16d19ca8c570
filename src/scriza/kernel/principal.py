"""Who asks, and for which request and call: carried through every door without being an argument of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from scriza.kernel.ids import DEFAULT_WORKSPACE, new_id


class Principal(msgspec.Struct, frozen=True):
    """An authenticated subject, acting in one workspace."""

    workspace: str = DEFAULT_WORKSPACE
    subject: str = "anonymous"
    scopes: frozenset[str] = frozenset()


class RequestContext(msgspec.Struct, frozen=True):
    """What the wire hands on beside the message itself."""

    principal: Principal = Principal()
    request_id: str = ""
    call_id: str = ""


_ANONYMOUS = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("scriza_request")


def current() -> RequestContext:
    """The context of the request that is being served; an anonymous one outside any."""
    return _current.get(_ANONYMOUS)


@contextmanager
def acting(principal: Principal, *, request_id: str = "", call_id: str = "") -> Iterator[RequestContext]:
    """Serve what is inside as `principal`; a missing request id is made."""
    context = RequestContext(principal, request_id or new_id("req"), call_id)
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
