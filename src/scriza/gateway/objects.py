"""``GET /objects/{key}``: opens what a signed URL names, to anybody who holds it."""

import re
from typing import Annotated, Any, Protocol

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

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
        exception_handlers=problems.HANDLERS,
    )
    async def open_object(
        request: Request[Any, Any, Any],
        key: FromPath[str],
        expires: Annotated[str, QueryParameter(description="Seconds since 1970")] = "",
        signature: FromQuery[str] = "",
    ) -> Response[bytes]:
        found = await objects.open(key.lstrip("/"), expires, signature)
        size = len(found.body)
        match _wanted(request.headers.get("range", ""), size):
            case None:
                return Response(found.body, media_type=found.content_type, headers=_HEADERS)
            case range(start=start, stop=stop) if start < stop:
                part = {"content-range": f"bytes {start}-{stop - 1}/{size}"}
                body = found.body[start:stop]
                return Response(body, status_code=206, media_type=found.content_type, headers=_HEADERS | part)
            case _:
                return Response(b"", status_code=416, headers=_HEADERS | {"content-range": f"bytes */{size}"})

    return open_object


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
