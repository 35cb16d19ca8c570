"""Sessions of the console: the `SignIn` port for browsers, whose tokens live in cookies and never in a script."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, Router, post
from litestar.params import JSONBody

from scriza.gateway.access import OwnCheck, behind
from scriza.gateway.cookies import REFRESH, check_ours, check_same_origin, cookies_of, no_cookies
from scriza.kernel.errors import Unauthenticated
from scriza.ports.accounts import (
    Done,
    ExternalAnswer,
    LoggedIn,
    LogIn,
    RefreshToken,
    SecondFactor,
    SignIn,
    SignUp,
    Tokens,
)
from scriza.wire import problems

Asked = Request[Any, Any, Any]
Given = TypeVar("Given")


class BrowserSession(msgspec.Struct, frozen=True, omit_defaults=True):
    """Either a session, to be refreshed within `expires_in` seconds, or the challenge that a second factor answers."""

    expires_in: int = 0
    challenge: str = ""


def browser_routes(sign_in: Callable[[], SignIn]) -> Router:
    """``/console/...``: what is answered by tokens elsewhere sets cookies here."""

    @post("/console/sign-up", status_code=200, tags=["console"], responses=problems.REFUSALS)
    async def sign_up(request: Asked, data: JSONBody[SignUp]) -> Response[BrowserSession]:
        """Take an invitation."""
        return await _opened(request, sign_in().sign_up, data)

    @post("/console/log-in", status_code=200, tags=["console"], responses=problems.REFUSALS)
    async def log_in(request: Asked, data: JSONBody[LogIn]) -> Response[BrowserSession]:
        """Open a session, or ask for the second factor."""
        return await _opened(request, sign_in().log_in, data)

    @post("/console/finish-external", status_code=200, tags=["console"], responses=problems.REFUSALS)
    async def finish_external(request: Asked, data: JSONBody[ExternalAnswer]) -> Response[BrowserSession]:
        """Open the session of who has come back from another provider."""
        return await _opened(request, sign_in().finish_external, data)

    @post("/console/second-factor", status_code=200, tags=["console"], responses=problems.REFUSALS)
    async def second_factor(request: Asked, data: JSONBody[SecondFactor]) -> Response[BrowserSession]:
        """Open the session that a log-in has begun."""
        return await _opened(request, sign_in().second_factor, data)

    @post("/console/refresh", status_code=200, tags=["console"], responses=problems.REFUSALS)
    async def refresh(request: Asked) -> Response[BrowserSession]:
        """The next tokens of the session."""
        token = request.cookies.get(REFRESH, "")
        if not token:
            raise Unauthenticated("there is no session: log in")
        check_ours(request.headers, request.cookies)
        return await _opened(request, sign_in().refresh, RefreshToken(token))

    @post("/console/log-out", status_code=200, tags=["console"], responses=problems.REFUSALS)
    async def log_out(request: Asked) -> Response[Done]:
        """End the session, and have the browser forget it."""
        check_same_origin(request.headers)
        if token := request.cookies.get(REFRESH, ""):
            check_ours(request.headers, request.cookies)
            await sign_in().log_out(RefreshToken(token))
        return Response(Done(), cookies=no_cookies(), headers={"cache-control": "no-store"})

    rule = OwnCheck("its messages and cookies hold what proves who sends them")
    return behind(rule, sign_up, log_in, finish_external, second_factor, refresh, log_out)


async def _opened(
    request: Asked, open_: Callable[[Given], Awaitable[Tokens | LoggedIn]], given: Given
) -> Response[BrowserSession]:
    """Nobody is logged in by another site, not even as somebody else."""
    check_same_origin(request.headers)
    opened = await open_(given)
    tokens, challenge = (opened.tokens, opened.challenge) if isinstance(opened, LoggedIn) else (opened, "")
    return Response(
        BrowserSession(tokens.expires_in if tokens else 0, challenge),
        cookies=cookies_of(tokens) if tokens else [],
        headers={"cache-control": "no-store"},
    )
