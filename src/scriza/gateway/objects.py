"""``GET /objects/{key}``: opens what a signed URL names, to anybody who holds it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Protocol

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from scriza.ports.objects import StoredObject
from scriza.wire import problems


class SignedObjects(Protocol):
    """A store whose signed URLs lead here."""

    async def open(self, key: str, expires: str, signature: str) -> StoredObject:
        """Raises Forbidden when the URL was not signed by the store or has expired, NotFound."""
        ...


def objects_route(objects: SignedObjects) -> HTTPRouteHandler:
    """The route. It is open: the signature is the credential."""

    @get(
        "/objects/{key:path}",
        operation_id="objects.open",
        summary="The object that a signed URL names",
        tags=["objects"],
        responses=problems.REFUSALS
        | {
            206: ResponseSpec(bytes, media_type="*/*", generate_examples=False, description="The part that was asked"),
            416: ResponseSpec(None, description="There is no such part"),
        },
        exception_handlers=problems.HANDLERS,
    )
    async def open_object(
        request: Request[Any, Any, Any],
        key: FromPath[str],
        expires: Annotated[str, QueryParameter(description="Seconds since 1970")] = "",
        signature: FromQuery[str] = "",
    ) -> Stream:
        found = await objects.open(key.lstrip("/"), expires, signature)
        size = len(found.body)
        match _wanted(request.headers.get("range", ""), size):
            case None:
                return _answer(found, range(size), 200)
            case range(start=start, stop=stop) as part if start < stop:
                return _answer(found, part, 206, {"content-range": f"bytes {start}-{stop - 1}/{size}"})
            case _:
                return _answer(found, range(0), 416, {"content-range": f"bytes */{size}"})

    return open_object


def _answer(found: StoredObject, part: range, status: int, more: dict[str, str] | None = None) -> Stream:
    headers = _HEADERS | {"content-length": str(len(part))} | (more or {})
    return Stream(_pieces(found.body, part), status_code=status, media_type=found.content_type, headers=headers)


async def _pieces(body: bytes, part: range) -> AsyncIterator[bytes]:
    """In one go the recording of a long call would hold up all live ones while it is copied to the socket."""
    for start in range(part.start, part.stop, _PIECE):
        yield body[start : min(start + _PIECE, part.stop)]
        await asyncio.sleep(0)  # a socket that takes all at once waits for nothing


def _wanted(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for, an empty range when there are none such; None is all of them.

    RFC 9110, section 14: a header that is not understood, or asks for several ranges, is as good as none. Players ask
    for ranges to find their way in a recording; some play nothing from where they cannot.
    """
    asked = _RANGE.fullmatch(header)
    if asked is None or asked[0] == "bytes=-":
        return None
    first, last = asked.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)


_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)
_HEADERS = {
    "accept-ranges": "bytes",
    # What is under a key may be replaced, and the URL is a secret: a browser may keep it, a proxy may not.
    "cache-control": "private, max-age=300",
    "referrer-policy": "no-referrer",
    # Whatever was stored, it is never a page of ours.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}
