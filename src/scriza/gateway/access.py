"""Who may pass: every route has exactly one access rule, as a Litestar guard of the router it is mounted on.

`RequestMiddleware` finds out who asks, a rule decides. `unruled` finds the routes that nobody thought of.
"""

import hmac
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec
import structlog
from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import ASGIRoute, HTTPRoute, WebSocketRoute
from litestar.types import ControllerRouterHandler

from scriza.kernel.errors import Forbidden, ScrizaError, Unauthenticated
from scriza.kernel.operation import SCOPE
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL, opens
from scriza.ports.accounts import Accounts, Credential
from scriza.wire.context import carried_principal

_log = structlog.get_logger()

SERVICE = Principal(subject="service", scopes=frozenset({ALL}))
"""Who holds a service token and speaks for nobody else."""


class Admission(msgspec.Struct, frozen=True):
    """Who asks. Another process of ours, a `service`, has looked itself at what they may do."""

    principal: Principal
    service: bool = False


class Authenticator(Protocol):
    """Knows one kind of bearer credential."""

    async def __call__(self, token: str, headers: Headers) -> Admission | None:
        """Whose token it is; none when it is not of this kind or no longer good."""
        ...


class ServiceAccess:
    """The tokens that other Scriza processes and scripts share: the one in force, and during a rotation the old one.

    Whoever holds one may say for whom it asks, by `x-scriza-principal`.
    """

    def __init__(self, *tokens: str) -> None:
        if not tokens or not all(tokens):
            raise ValueError("an empty service token would open every door")
        self._tokens = [token.encode() for token in tokens]

    async def __call__(self, token: str, headers: Headers) -> Admission | None:
        """Raises BadInput when the principal makes no sense."""
        given = token.encode()
        matches = [hmac.compare_digest(given, known) for known in self._tokens]
        return Admission(carried_principal(headers) or SERVICE, service=True) if any(matches) else None


class KnownCredentials:
    """Access tokens and keys, as the accounts module knows them."""

    def __init__(self, accounts: Callable[[], Accounts]) -> None:
        self._accounts = accounts

    async def __call__(self, token: str, headers: Headers) -> Admission | None:
        """Raises Unauthenticated for one that was good once."""
        with acting(Principal(subject="edge")):
            found = await self._accounts().identify(Credential(token))
        if not found.known:
            return None
        return Admission(Principal(found.workspace, found.subject, frozenset(found.scopes)))


class AccessRule:
    """Decides over one connection. As a guard it is called before the handler, and before a socket is accepted."""

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Raises Unauthenticated."""
        raise NotImplementedError


class Bearer(AccessRule):
    """A credential that an authenticator accepts, and that holds the scope of the route's operation.

    `scope` is for routes that belong to no operation; whoever holds all scopes passes everywhere.
    """

    def __init__(self, scope: str = "") -> None:
        self._scope = scope

    def needed(self, handler: BaseRouteHandler) -> str:
        """The scope that a route asks for."""
        return str(handler.opt.get(SCOPE) or self._scope)

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Raises Unauthenticated and Forbidden, and logs it."""
        found, route = connection.scope.get("auth"), connection.scope.get("path_template", "")
        if isinstance(found, ScrizaError):
            _log.warning("access.unauthenticated", route=route, error=found.slug)
            raise found
        if not isinstance(found, Admission):
            _log.warning("access.unauthenticated", route=route)
            raise Unauthenticated("a bearer token is needed")
        needed = self.needed(handler)
        if not found.service and not opens(found.principal.scopes, needed):
            _log.warning("access.forbidden", route=route, subject=found.principal.subject, scope=needed)
            raise Forbidden(f"this needs the scope {needed}" if needed else "this is for other processes of ours")


class Open(AccessRule):
    """Anybody may pass; `why` is for who reads the route table."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Never refuses."""


class OwnCheck(Open):
    """The route checks its caller itself, by a signature or a token in its path, as `why` says."""


def behind(rule: AccessRule, *handlers: ControllerRouterHandler) -> Router:
    """Mount `handlers` behind an access rule."""
    return Router(path="/", route_handlers=handlers, guards=[rule])


def rules_of(handler: BaseRouteHandler) -> list[AccessRule]:
    """The access rules that guard a handler."""
    return [guard for guard in handler.resolve_guards() if isinstance(guard, AccessRule)]


def unruled(app: Litestar) -> list[str]:
    """Routes that do not have exactly one access rule, as ``GET /path``."""
    return sorted(name for name, handler in _handlers(app) if len(rules_of(handler)) != 1)


def _handlers(app: Litestar) -> Iterator[tuple[str, BaseRouteHandler]]:
    for route in app.routes:
        match route:
            case HTTPRoute():
                for handler in route.route_handlers:
                    yield f"{'|'.join(sorted(handler.http_methods))} {route.path}", handler
            case WebSocketRoute():
                yield f"WS {route.path}", route.route_handler
            case ASGIRoute():
                yield f"ASGI {route.path}", route.route_handler
