"""A Litestar application with the edge around it: what every process of ours, and every test of a door, mounts."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.middleware import ASGIMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.types import ControllerRouterHandler

from scriza import __version__
from scriza.gateway.access import Authenticator, Open, unruled
from scriza.gateway.headers import security_headers
from scriza.gateway.requests import RequestMiddleware
from scriza.wire import problems

_SCALAR = "1.72.1"
_SCALAR_CSS = f"https://cdn.jsdelivr.net/npm/@scalar/api-reference@{_SCALAR}/dist/style.css"

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def edge_around(
    routes: Sequence[ControllerRouterHandler],
    authenticators: Sequence[Authenticator],
    *,
    inside: Sequence[ASGIMiddleware] = (),
    cors: CORSConfig | None = None,
    https: bool = False,
    tags: Sequence[Tag] = (),
    lifespan: Sequence[Lifespan] = (),
) -> Litestar:
    """`routes` behind the edge: ids, principal, access, problem details and the OpenAPI page.

    `inside` stands between the finding out of who asks and the routes. `cors` names other sites whose pages may call;
    `https` has browsers insist on it. `tags` say what the groups of operations are, in the order of the page.
    Nothing is compressed: that takes milliseconds from live calls, and holds a stream's events back.
    Raises ValueError when a route does not have exactly one access rule: nothing is open by oversight.
    """
    page = Router("/schema", route_handlers=[], include_in_schema=False, guards=[Open("what the API is, is no secret")])
    app = Litestar(
        list(routes),
        middleware=[RequestMiddleware(*authenticators), *inside],
        exception_handlers=problems.HANDLERS,
        before_send=[security_headers(https=https)],
        cors_config=cors,
        openapi_config=OpenAPIConfig(
            title="Scriza",
            version=__version__,
            openapi_router=page,
            render_plugins=[SwaggerRenderPlugin(), ScalarRenderPlugin(version=_SCALAR, css_url=_SCALAR_CSS)],
            components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"bearer": []}],
            tags=list(tags),
        ),
        lifespan=list(lifespan),
        logging_config=None,
    )
    if forgotten := unruled(app):
        raise ValueError(f"without an access rule of their own: {', '.join(forgotten)}")
    return app
