"""Budgets for log-in, reset, webhooks and the API: how often somebody may ask, what is told, what a refusal says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
from litestar import get, post
from litestar.datastructures import Headers
from litestar.testing import AsyncTestClient

from scriza.gateway.access import Admission, Bearer, Open, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.gateway.rates import Budget, RateLimits, Rates
from scriza.kernel.errors import Unavailable
from scriza.kernel.principal import Principal
from scriza.ports.shared_state import SharedState
from scriza_adapters.shared_state.memory import MemorySharedState

LOGIN = Budget("login", 3, 60, guards=True)
API = Budget("api", 5, 60)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@get("/api/things")
async def things() -> str:
    return "things"


@post("/api/v1/auth/login", status_code=200)
async def login() -> str:
    return "in"


@get("/health/x")
async def probe() -> str:
    return "ok"


async def users(token: str, _: Headers) -> Admission | None:
    return Admission(Principal("acme", token, frozenset({"calls:read"}))) if token in {"ada", "ben"} else None


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Broken(MemorySharedState):
    async def add(self, key: str, amount: int, ttl: timedelta) -> int:
        raise Unavailable("no Redis")


@asynccontextmanager
async def edge(state: SharedState | None = None, clock: Clock | None = None) -> AsyncIterator[httpx.AsyncClient]:
    rates = Rates(MemorySharedState() if state is None else state, clock or Clock())
    limits = RateLimits(rates, {"/api/": API, "/api/v1/auth/login": LOGIN})
    routes = [behind(Bearer("calls:read"), things), behind(Open("a test"), login, probe)]
    app = edge_around(routes, [ServiceAccess("service-token"), users], inside=[limits])
    async with AsyncTestClient(app) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async with edge() as client:
        answers = [await client.post("/api/v1/auth/login") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [f'"login";r={left};t=60' for left in (2, 1, 0, 0)]
    refusal = answers[-1]
    assert refusal.headers["ratelimit-policy"] == '"login";q=3;w=60'
    assert refusal.headers["retry-after"] == "60"
    assert refusal.headers["content-type"] == "application/problem+json"
    assert refusal.json()["type"] == "urn:scriza:problem:rate-limited"
    assert refusal.json()["request_id"] == refusal.headers["x-request-id"]


async def test_the_next_window_is_a_new_one() -> None:
    clock = Clock()
    async with edge(clock=clock) as client:
        for _ in range(4):
            await client.post("/api/v1/auth/login")
        clock.now += timedelta(seconds=60)
        assert (await client.post("/api/v1/auth/login")).status_code == 200


async def test_users_have_a_budget_each_wherever_they_ask_from() -> None:
    async with edge() as client:
        adas = [await client.get("/api/things", headers=bearer("ada")) for _ in range(6)]
        ben = await client.get("/api/things", headers=bearer("ben"))
    assert [answer.status_code for answer in adas] == [200] * 5 + [429]
    assert ben.status_code == 200


async def test_guessing_tokens_is_limited_by_the_address() -> None:
    async with edge() as client:
        guesses = [await client.get("/api/things", headers=bearer(f"guess-{n}")) for n in range(6)]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429]


async def test_other_processes_of_ours_and_probes_are_not_counted() -> None:
    async with edge() as client:
        answers = [await client.get("/api/things", headers=bearer("service-token")) for _ in range(9)]
        answers += [await client.get("/health/x") for _ in range(9)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


async def test_requests_at_the_same_time_are_all_counted() -> None:
    async with edge() as client:
        answers = await asyncio.gather(*(client.post("/api/v1/auth/login") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 17


async def test_when_nobody_can_count_the_api_goes_on_and_logging_in_does_not() -> None:
    async with edge(Broken()) as client:
        assert (await client.get("/api/things", headers=bearer("ada"))).status_code == 200
        assert (await client.post("/api/v1/auth/login")).status_code == 503


async def test_two_processes_that_share_their_state_count_together() -> None:
    state = MemorySharedState()
    async with edge(state) as first, edge(state) as second:
        answers = [await client.post("/api/v1/auth/login") for client in (first, second, first, second)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
