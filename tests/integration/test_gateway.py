"""The edge: who may pass, what every request carries, what failures look like, what probes are told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import structlog
from litestar import Litestar, Router, get, websocket
from litestar.connection import WebSocket
from litestar.datastructures import Headers
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.params import FromPath
from litestar.testing import AsyncTestClient, TestClient
from litestar.types import Message, Receive, Scope, Send

from scriza.gateway.access import Admission, Bearer, Open, OwnCheck, ServiceAccess, behind, unruled
from scriza.gateway.edge import edge_around
from scriza.gateway.health import health_routes
from scriza.gateway.metrics import metrics_route
from scriza.gateway.requests import RequestMiddleware
from scriza.kernel.errors import DeadlineExceeded, Unavailable
from scriza.kernel.principal import Principal, acting, current
from scriza.wire.context import carrying
from scriza_adapters.provider_failures import provider_failed

TOKEN, OLD_TOKEN = "s3cret-token", "0ld-token"


class Seen(msgspec.Struct):
    subject: str
    workspace: str
    request_id: str
    call_id: str


def seen() -> Seen:
    asked = current()
    return Seen(asked.principal.subject, asked.principal.workspace, asked.request_id, asked.call_id)


@get("/v1/who")
async def who() -> Seen:
    return seen()


@get("/v1/for-services")
async def for_services() -> None: ...


@get("/v1/for-admins")
async def for_admins() -> None: ...


@get("/open")
async def open_to_all() -> Seen:
    return seen()


@get("/fault/{kind:str}")
async def fault(kind: FromPath[str]) -> None:
    if kind == "ours":
        raise ZeroDivisionError("+14155550123")
    if kind == "litestar-500":
        raise HTTPException("a secret", status_code=500)
    raise PermissionDeniedException("not you")


@websocket("/v1/socket")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_json(msgspec.to_builtins(seen()))
    await socket.close()


async def session_tokens(token: str, headers: Headers) -> Admission | None:
    """One token, one user, few scopes."""
    return Admission(Principal("acme", "ada", frozenset({"calls:read"}))) if token == "adas-session" else None


@pytest.fixture
def app() -> Litestar:
    return edge_around(
        [
            behind(Bearer("calls:read"), who, socket),
            behind(Bearer(), for_services),
            behind(Bearer("users:write"), for_admins),
            behind(Open("a test"), open_to_all, fault),
            health_routes({}),
            metrics_route(),
        ],
        [ServiceAccess(TOKEN, OLD_TOKEN), session_tokens],
    )


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncTestClient(app) as client:
        yield client


def bearer(token: str = TOKEN, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
async def test_a_service_token_opens_the_door_and_so_does_the_old_one(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.get("/v1/who", headers=bearer(token))
    assert (answer.status_code, answer.json()["subject"]) == (200, "service")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer",
        "Bearer s3cret-toke",
        "Bearer s3cret-token2",
        "Bearer s3cret-token,0ld-token",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xff\xfe",
    ],
)
async def test_anything_else_is_refused_with_a_problem(client: httpx.AsyncClient, header: str | None) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await client.get("/v1/who", headers={b"authorization": header.encode("latin-1")} if header else {})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:scriza:problem:unauthenticated"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert [(entry["event"], entry["route"]) for entry in logs] == [("access.unauthenticated", "/v1/who")]


async def test_whoever_an_authenticator_knows_asks_in_their_own_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/who", headers=bearer("adas-session"))
    assert (answer.json()["subject"], answer.json()["workspace"]) == ("ada", "acme")


@pytest.mark.parametrize("path", ["/v1/for-services", "/v1/for-admins"])
async def test_a_credential_opens_only_what_its_scopes_name(client: httpx.AsyncClient, path: str) -> None:
    with structlog.testing.capture_logs() as logs:
        refused = await client.get(path, headers=bearer("adas-session"))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:scriza:problem:forbidden")
    assert [(entry["event"], entry["subject"]) for entry in logs] == [("access.forbidden", "ada")]
    assert (await client.get(path, headers=bearer())).status_code == 200


async def test_a_process_of_ours_says_for_whom_it_acts(client: httpx.AsyncClient) -> None:
    with acting(Principal(workspace="acme", subject="user-1"), request_id="req_1", call_id="CA1"):
        headers = carrying() | bearer()
    answer = await client.get("/v1/who", headers=headers)
    assert answer.json() == {
        "subject": "user-1",
        "workspace": "acme",
        "request_id": "req_1",
        "call_id": "CA1",
    }


@pytest.mark.parametrize(("path", "token"), [("/open", ""), ("/v1/who", "adas-session")])
async def test_nobody_else_can_say_for_whom_it_acts(client: httpx.AsyncClient, path: str, token: str) -> None:
    with acting(Principal(workspace="victim", subject="user-1")):
        headers = carrying() | bearer(token)
    answer = await client.get(path, headers={name: value.strip() for name, value in headers.items()})
    assert answer.json()["workspace"] in {"default", "acme"}


@pytest.mark.parametrize("told", ["%%%", "e30", "bm9uc2Vuc2U=", "eyJzY29wZXMiOiAiKiJ9"])
async def test_a_garbled_principal_is_refused_even_with_the_token(client: httpx.AsyncClient, told: str) -> None:
    answer = await client.get("/v1/who", headers=bearer(x_scriza_principal=told))
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:scriza:problem:bad-input")
    assert (await client.get("/open", headers=bearer(x_scriza_principal=told))).status_code == 200


async def test_a_request_without_an_id_gets_one_and_is_told(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/open"), await client.get("/open")
    assert first.json()["request_id"] == first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize("forged", ["a b", "x" * 129, "", "a\x7fb", "1;DROP", "ä"])
async def test_an_id_that_could_forge_a_log_line_is_replaced(client: httpx.AsyncClient, forged: str) -> None:
    sent = {name: forged.encode("latin-1") for name in (b"x-request-id", b"x-scriza-call-id")}
    answer = await client.get("/open", headers=sent)
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.json()["call_id"] == ""


@pytest.mark.parametrize("path", ["/nowhere", "/v1/who/else"])
async def test_an_unknown_route_keeps_the_request_id(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"x-request-id": "req_mine"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (answer.headers.get_list("x-request-id"), answer.json()["request_id"]) == (["req_mine"], "req_mine")


@pytest.mark.parametrize("kind", ["ours", "litestar-500"])
async def test_a_fault_is_a_problem_without_its_insides_and_logged_once(client: httpx.AsyncClient, kind: str) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await client.get(f"/fault/{kind}")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json().keys() == {"type", "title", "status", "request_id"}
    assert answer.headers.get_list("x-request-id") == [answer.json()["request_id"]]
    assert [(entry["event"], entry["request_id"]) for entry in logs] == [
        ("request.failed", answer.json()["request_id"])
    ]


async def test_what_litestar_refuses_is_a_problem_of_the_same_kind_as_ours(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fault/theirs")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:scriza:problem:forbidden")
    assert answer.json()["detail"] == "not you"


def test_a_socket_is_guarded_like_a_request(app: Litestar) -> None:
    with TestClient(app) as client:
        with pytest.raises(Exception, match="a bearer token is needed"), client.websocket_connect("/v1/socket"):
            pass
        with client.websocket_connect("/v1/socket", headers=bearer(x_request_id="req_9")) as opened:
            assert opened.receive_json()["request_id"] == "req_9"


async def test_nothing_stands_between_a_media_socket_and_the_server() -> None:
    passed: list[object] = []

    @websocket("/stream")
    async def stream(socket: WebSocket[Any, Any, Any]) -> None:
        """Is never called: the middleware's next application is what the test looks at."""

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        """Nothing is sent."""

    async def next_app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.extend((receive, send))

    app = Litestar([behind(OwnCheck("the signature"), stream)])
    handler = app.asgi_router.root_route_map_node.children["/stream"].asgi_handlers["websocket"].handler
    scope: Any = {"type": "websocket", "headers": [], "state": {}, "route_handler": handler}
    await RequestMiddleware().handle(scope, receive, send, next_app)
    assert passed == [receive, send]


def test_a_route_that_nobody_gave_a_rule_does_not_start() -> None:
    with pytest.raises(ValueError, match=r"GET /open"):
        edge_around([open_to_all], [])
    with pytest.raises(ValueError, match=r"WS /v1/socket"):
        edge_around([behind(Open("a test"), open_to_all), socket], [])


def test_two_rules_for_one_route_are_one_too_many() -> None:
    with pytest.raises(ValueError, match=r"GET /open"):
        edge_around([behind(Bearer(), behind(Open("a test"), open_to_all))], [])


def test_routes_without_a_rule_are_found_wherever_they_hang() -> None:
    app = Litestar([Router("/deep", route_handlers=[Router("/er", route_handlers=[who])])], openapi_config=None)
    assert unruled(app) == ["GET /deep/er/v1/who", "OPTIONS /deep/er/v1/who"]


def test_an_empty_token_is_not_taken_for_one() -> None:
    for tokens in ([], [""], [TOKEN, ""]):
        with pytest.raises(ValueError, match="open every door"):
            ServiceAccess(*tokens)


async def test_the_documentation_is_open(client: httpx.AsyncClient) -> None:
    page = await client.get("/schema/openapi.json")
    assert page.json()["info"]["title"] == "Scriza"
    assert "/v1/who" in page.json()["paths"]
    assert "swagger" in (await client.get("/schema")).text


async def test_each_probe_has_a_readable_operation_id_of_its_own() -> None:
    async with AsyncTestClient(edge_around([health_routes({})], [])) as client:
        paths = (await client.get("/schema/openapi.json")).json()["paths"]
    told = {path: operation["operationId"] for path, methods in paths.items() for operation in methods.values()}
    assert told == {"/health": "health", "/health/live": "health.live", "/health/ready": "health.ready"}


class Check:
    def __init__(self, failure: Exception | None = None, hangs: bool = False) -> None:
        self.failure = failure
        self.hangs = hangs

    async def __call__(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_probes_are_open(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_process_that_cannot_serve_is_alive_but_not_ready_and_says_why() -> None:
    checks = {
        "store": Check(Unavailable("the store does not answer")),
        "engine": Check(),
        "broker": Check(hangs=True),
        "objects": Check(ZeroDivisionError("a secret")),
    }
    with structlog.testing.capture_logs() as logs:
        async with AsyncTestClient(edge_around([health_routes(checks, seconds=0.05)], [])) as client:
            answer = await client.get("/health/ready")
            alive = await client.get("/health/live")
            checks["store"].failure = checks["objects"].failure = None
            checks["broker"].hangs = False
            again = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "failing": ["store", "broker", "objects"]}
    assert {entry["check"] for entry in logs} == {"store", "broker", "objects"}
    assert alive.status_code == 200
    assert (again.status_code, again.json()) == (200, {"status": "ok"})


async def test_what_a_provider_failed_at_is_counted_for_who_may_know(client: httpx.AsyncClient) -> None:
    assert (await client.get("/metrics")).status_code == 401

    async def failures() -> float:
        told = (await client.get("/metrics", headers=bearer())).text.splitlines()
        name = 'scriza_provider_failures_total{provider="openai",reason="deadline-exceeded"} '
        return sum(float(line.removeprefix(name)) for line in told if line.startswith(name))

    before = await failures()
    provider_failed("openai", DeadlineExceeded("the model's server took too long"))
    assert await failures() == before + 1
