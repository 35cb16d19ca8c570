"""``GET /objects/{key}``: opens what a signed URL names, to anybody who holds it."""

from typing import Annotated, Protocol

from litestar import Response, get
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
        key: FromPath[str],
        expires: Annotated[str, QueryParameter(description="Seconds since 1970")] = "",
        signature: FromQuery[str] = "",
    ) -> Response[bytes]:
        found = await objects.open(key.lstrip("/"), expires, signature)
        return Response(found.body, media_type=found.content_type, headers=_HEADERS)

    return open_object


_HEADERS = {
    # What is under a key may be replaced, and the URL is a secret: a browser may keep it, a proxy may not.
    "cache-control": "private, max-age=300",
    "referrer-policy": "no-referrer",
    # Whatever was stored, it is never a page of ours.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}
