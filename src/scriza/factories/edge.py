"""What stands around the routes: how often who may ask, what browsers are told, the landing page."""

from collections.abc import Sequence

from litestar import Router
from litestar.config.cors import CORSConfig
from litestar.middleware import ASGIMiddleware

from scriza import __version__
from scriza.gateway.addresses import networks
from scriza.gateway.pages import page_routes
from scriza.gateway.rates import Budget, RateLimits, Rates
from scriza.ports.shared_state import SharedState
from scriza.settings import Settings

_MINUTE, _HOUR = 60, 3600
_TOLD = ["x-request-id", "ratelimit", "ratelimit-policy", "retry-after", "etag", "idempotency-replayed"]


def rate_limits(settings: Settings, state: SharedState) -> ASGIMiddleware:
    """The budgets, by the beginnings of the paths that spend them."""
    webhooks = Budget("webhooks", settings.rate_webhooks, _MINUTE)
    api = Budget("api", settings.rate_api, _MINUTE)
    login = Budget("login", settings.rate_login, _MINUTE, guards=True)
    budgets = {
        **dict.fromkeys(("/api/v1/auth/login", "/api/v1/auth/external", "/console/"), login),
        "/console/refresh": api,
        "/api/v1/auth/reset": Budget("reset", settings.rate_reset, _HOUR, guards=True),
        "/api/": api,
        "/v1/": api,
        **dict.fromkeys(("/voice", "/sms", "/status-callback"), webhooks),
    }
    return RateLimits(Rates(state), budgets, networks(settings.trusted_proxies))


def cors(settings: Settings) -> CORSConfig | None:
    """Pages of these sites may call the API, with a bearer token; cookies stay at home."""
    allowed = [origin for origin in map(str.strip, settings.cors_origins.split(",")) if origin]
    if not allowed:
        return None
    return CORSConfig(
        allow_origins=allowed,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["authorization", "content-type", "idempotency-key", "if-match", "x-request-id"],
        expose_headers=_TOLD,
    )


def pages(settings: Settings, modules: Sequence[str]) -> Router:
    """The landing page tells what runs here."""
    served = ", ".join(modules)
    return page_routes({"version": __version__, "modules": served, "public_url": settings.public_url})
