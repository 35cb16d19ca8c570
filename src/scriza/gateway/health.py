"""Probes, open to all: is the process alive, and can it serve?"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog
from litestar import Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from scriza.gateway.access import Open, behind

_log = structlog.get_logger()

Check = Callable[[], Awaitable[None]]
"""Raises when what it looks at cannot be used now."""

CHECK_SECONDS = 2.0


class Health(msgspec.Struct, omit_defaults=True):
    """`failing` names the checks that did not pass, and is left out when there are none."""

    status: str
    failing: list[str] = []


def health_routes(checks: Mapping[str, Check], *, seconds: float = CHECK_SECONDS) -> Router:
    """``/health`` and ``/health/live`` answer while the process does; ``/health/ready`` asks all `checks` at once.

    A check that raises, or takes longer than `seconds`, makes the process not ready: 503.
    """

    @get(["/health", "/health/live"], operation_id=_operation_id, summary="The process is alive")
    async def live() -> Health:
        return Health("ok")

    @get("/health/ready", operation_id=_operation_id, summary="The process can serve")
    async def ready() -> Response[Health]:
        passed = await asyncio.gather(*(_passes(name, check, seconds) for name, check in checks.items()))
        failing = [name for name, good in zip(checks, passed, strict=True) if not good]
        if failing:
            return Response(Health("unavailable", failing), status_code=503)
        return Response(Health("ok"))

    return behind(Open("probes have no credentials"), Router("/", route_handlers=[live, ready], tags=["Health"]))


def _operation_id(handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]) -> str:
    """Of each path, since one handler may have several: ``health.live``."""
    return ".".join(map(str, path))


async def _passes(name: str, check: Check, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await check()
    except Exception as error:
        # Whatever a check raises means the same; the probe's answer names the check, the log says why.
        _log.warning("health.failing", check=name, error=repr(error))
        return False
    return True
