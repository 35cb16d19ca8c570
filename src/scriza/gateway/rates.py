"""How often somebody may ask: budgets for log-in, reset, webhooks and the API, each with its own quota.

A budget is spent in fixed windows, counted in the shared state, so that the processes of one Scriza count together when
they share a Redis. What is left is told by the fields of draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy`
and `RateLimit`, and a refusal also by `Retry-After`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import cast

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from scriza.gateway.access import Admission
from scriza.gateway.addresses import Network, client_address
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import RateLimited, ScrizaError
from scriza.kernel.principal import current
from scriza.ports.shared_state import SharedState
from scriza.wire import problems
from scriza.wire.codec import encode

_log = structlog.get_logger()


class Budget(msgspec.Struct, frozen=True):
    """So many requests in so many seconds; of a quota of 0 there is no end."""

    name: str
    quota: int
    window_s: int
    guards: bool = False
    """What it guards is not worth serving uncounted: when counting fails, so does the request."""

    @property
    def policy(self) -> str:
        """As `RateLimit-Policy` has it."""
        return f'"{self.name}";q={self.quota};w={self.window_s}'


class Left(msgspec.Struct, frozen=True):
    """What is left of a budget, and in how many seconds it is whole again."""

    budget: Budget
    remaining: int
    reset_s: int

    @property
    def field(self) -> str:
        """As `RateLimit` has it."""
        return f'"{self.budget.name}";r={max(0, self.remaining)};t={self.reset_s}'


class Rates:
    """Counts what was spent of budgets. Addresses and names are kept only as digests."""

    def __init__(self, state: SharedState, clock: WallClock = utc_now) -> None:
        self._state = state
        self._clock = clock

    async def spend(self, budget: Budget, who: str) -> Left:
        """One request of `who`. `remaining` is negative when it is one too many.

        Raises Unavailable and DeadlineExceeded when it cannot be counted and the budget `guards`.
        """
        now = self._clock().timestamp()
        window = int(now // budget.window_s)
        reset_s = max(1, round((window + 1) * budget.window_s - now))
        digest = hashlib.sha256(f"{budget.name}\n{who}".encode()).hexdigest()[:32]
        try:
            spent = await self._state.add(f"rate:{digest}:{window}", 1, timedelta(seconds=budget.window_s))
        except ScrizaError as error:
            if budget.guards:
                raise
            _log.warning("rates.uncounted", budget=budget.name, reason=error.slug)
            return Left(budget, budget.quota, reset_s)
        return Left(budget, budget.quota - spent, reset_s)


class RateLimits(ASGIMiddleware):
    """Spends the budget of each request, by whoever asks: the user or key, else the address.

    `budgets` are by the beginning of the route's path; the longest that fits counts. Sockets pass by: what they cost is
    bounded by calls.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, rates: Rates, budgets: Mapping[str, Budget], trusted: Sequence[Network] = ()) -> None:
        self._rates = rates
        self._budgets = sorted(budgets.items(), key=lambda item: len(item[0]), reverse=True)
        self._trusted = trusted

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, with what is left told beside its answer, or answer 429."""
        who, budget = self._who(scope), self._budget(str(scope.get("path_template", "")))
        if who is None or budget is None or not budget.quota:
            await next_app(scope, receive, send)
            return
        left = await self._rates.spend(budget, who)
        telling = _telling(left, send)
        if left.remaining < 0:
            _log.warning("rates.refused", budget=budget.name, route=scope.get("path_template"))
            await _refuse(left, telling)
        else:
            await next_app(scope, receive, telling)

    def _budget(self, path: str) -> Budget | None:
        return next((budget for start, budget in self._budgets if path.startswith(start)), None)

    def _who(self, scope: Scope) -> str | None:
        found = scope.get("auth")
        if not isinstance(found, Admission):
            return f"address {client_address(scope, self._trusted)}"
        if found.service:
            return None  # another process of ours works for somebody who was counted there
        return f"subject {found.principal.workspace}\n{found.principal.subject}"


def _telling(left: Left, send: Send) -> Send:
    told = [(b"ratelimit-policy", left.budget.policy.encode()), (b"ratelimit", left.field.encode())]

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *told]
        await send(message)

    return tell


async def _refuse(left: Left, send: Send) -> None:
    budget = left.budget
    error = RateLimited(f"more than {budget.quota} requests in {budget.window_s} seconds", retry_after=left.reset_s)
    body = encode(error.problem(current().request_id))
    headers = [
        (b"content-type", problems.MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % left.reset_s),
    ]
    await send(cast("Message", {"type": "http.response.start", "status": error.status, "headers": headers}))
    await send(cast("Message", {"type": "http.response.body", "body": body, "more_body": False}))
