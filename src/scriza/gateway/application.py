"""A Litestar application with the edge around it: what every process of ours, and every test of a door, mounts."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from scriza import __version__
from scriza.gateway.access import Authenticator, Open, unruled
from scriza.gateway.requests import RequestMiddleware
from scriza.wire import problems
from scriza.wire.handlers import UNCOMPRESSED

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def application(
    routes: Sequence[ControllerRouterHandler],
    authenticators: Sequence[Authenticator],
    *,
    lifespan: Sequence[Lifespan] = (),
) -> Litestar:
    """`routes` behind the edge: ids, principal, access, problem details, compression and the OpenAPI page.

    Raises ValueError when a route does not have exactly one access rule: nothing is open by oversight.
    """
    page = Router("/schema", route_handlers=[], include_in_schema=False, guards=[Open("documentation")])
    app = Litestar(
        list(routes),
        middleware=[RequestMiddleware(*authenticators)],
        exception_handlers=problems.HANDLERS,
        compression_config=CompressionConfig("gzip", minimum_size=4096, exclude_opt_key=UNCOMPRESSED),
        openapi_config=OpenAPIConfig(
            title="Scriza",
            version=__version__,
            openapi_router=page,
            render_plugins=[SwaggerRenderPlugin(path=["/", "/swagger"])],
            components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"bearer": []}],
        ),
        lifespan=list(lifespan),
        logging_config=None,
    )
    if forgotten := unruled(app):
        raise ValueError(f"without an access rule of their own: {', '.join(forgotten)}")
    return app
