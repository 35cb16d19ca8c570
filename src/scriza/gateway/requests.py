"""Every request has an id, a principal and, inside a call, the call's id; each answer tells the request's id."""

from typing import cast

from litestar import WebSocket
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from scriza.gateway.access import Admission, Authenticator, rules_of
from scriza.gateway.cookies import access_token
from scriza.kernel.errors import Problem, ScrizaError
from scriza.kernel.principal import Principal, acting, current
from scriza.wire import problems
from scriza.wire.codec import encode
from scriza.wire.context import CALL_ID, REQUEST_ID, sane_id


class RequestMiddleware(ASGIMiddleware):
    """Binds what `kernel.principal.current` tells while the request or the socket is served.

    An id that the caller sends is kept when it looks sane. The principal is the one of the first authenticator that
    accepts the bearer token or, where nothing else is said, the access token of a browser's session. A socket is
    authorised here, before its handshake; its frames pass by.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, *authenticators: Authenticator) -> None:
        self._authenticators = authenticators

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Serve the request within its context."""
        headers = Headers.from_scope(scope)
        ids = {"request_id": sane_id(headers.get(REQUEST_ID)), "call_id": sane_id(headers.get(CALL_ID))}
        principal = Principal()
        try:
            scope["auth"] = found = await self._identify(scope, headers)
        except ScrizaError as error:
            scope["auth"] = error
        else:
            principal = found.principal if found else principal
        with acting(principal, **ids) as context:
            if scope["type"] == ScopeType.HTTP:
                await next_app(scope, receive, _telling(context.request_id, send))
            elif await _may_open(scope, receive, send):
                # A media socket sends fifty frames a second: nothing stands between it and the server.
                await next_app(scope, receive, send)

    async def _identify(self, scope: Scope, headers: Headers) -> Admission | None:
        token = _credential(scope, headers)
        if not token:
            return None
        for authenticator in self._authenticators:
            found = await authenticator(token, headers)
            if found is not None:
                return found
        return None


def _credential(scope: Scope, headers: Headers) -> str:
    """Raises Forbidden when it is a cookie's and the request may be another site's doing."""
    if "authorization" not in headers:
        if "cookie" not in headers:
            return ""
        method = str(scope["method"]) if scope["type"] == ScopeType.HTTP else ""
        return access_token(method, headers, ASGIConnection(scope).cookies)
    scheme, _, token = headers["authorization"].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _may_open(scope: Scope, receive: Receive, send: Send) -> bool:
    """Asks the socket's access rules, so that a refusal is a problem: Litestar would answer a bare 403."""
    handler = cast("BaseRouteHandler", scope["route_handler"])
    try:
        for rule in rules_of(handler):
            await rule(WebSocket(scope, receive, send), handler)
    except ScrizaError as error:
        await _refuse(scope, receive, send, error.problem(current().request_id))
        return False
    return True


def _telling(request_id: str, send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (REQUEST_ID.encode(), request_id.encode())]
        await send(message)

    return tell


async def _refuse(scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
    await receive()
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 4000 + problem.status, "reason": problem.detail[:120]})
        return
    told = {"content-type": problems.MEDIA_TYPE, REQUEST_ID: problem.request_id, "www-authenticate": "Bearer"}
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": encode(problem), "more_body": False})
