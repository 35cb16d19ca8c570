"""A walk over every route of the application with nothing in one's hands: only probes and documentation let one in."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dependency_injector import providers
from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute
from pymongo import AsyncMongoClient

from scriza.app import application, container_of
from scriza.kernel.operation import operations
from scriza.modules.telephony.vad import EnergyVad
from scriza.ports.accounts import SignIn
from scriza.settings import load
from scriza_adapters.mongo.store import MongoStore

OPEN = {
    *("/", "/health", "/health/live", "/health/ready", "/static/{name:str}"),
    *(operation.path for operation in operations(SignIn)),
    *(f"/console/{act}" for act in ("sign-up", "log-in", "finish-external", "second-factor", "log-out")),
}
"""Whatever else is found open must be written here by somebody who means it."""


@pytest.fixture
async def app(tmp_path: Path) -> Litestar:
    """Not started: who is refused needs no store."""
    container = container_of(load(data_dir=tmp_path))
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient("mongodb://127.0.0.1:9")  # connects when it is used
    container.store.override(MongoStore(client, client["nowhere"]))
    container.vad.override(providers.Object(EnergyVad))
    return application(container)


def filled_in(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "x", path)


def http_routes(app: Litestar) -> Iterator[tuple[str, str]]:
    """All but the documentation."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not route.path.startswith("/schema"):
            for method in route.methods - {"OPTIONS", "HEAD"}:
                yield method, route.path


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer guess", "Basic c2NyaXphOnNjcml6YQ=="])
async def test_every_route_but_the_open_ones_refuses_a_stranger(app: Litestar, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    let_in = set()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://scriza") as stranger:
        for method, path in http_routes(app):
            answer = await stranger.request(method, filled_in(path), headers=headers, content=b"{}")
            if answer.status_code not in (401, 403):
                let_in.add(path)
    assert let_in == OPEN
    assert len(set(http_routes(app))) > 15


async def test_every_socket_refuses_a_stranger_before_it_opens(app: Litestar) -> None:
    sockets = [route.path for route in app.routes if isinstance(route, WebSocketRoute)]
    assert sorted(sockets) == ["/stream", "/stream/{token:str}", "/v1/stream", "/v1/stream-speak"]
    for path in sockets:
        sent = await knock(app, filled_in(path))
        assert "websocket.accept" not in [message["type"] for message in sent]
        assert sent


async def knock(app: Litestar, path: str) -> list[Any]:
    """Ask for an upgrade, and say nothing but that; returns what the application sends."""
    sent: list[Any] = []
    asked = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}])

    async def receive() -> Any:
        return next(asked)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"scriza")],
        "scheme": "ws",
        "server": ("scriza", 80),
        "client": ("stranger", 1),
        "subprotocols": [],
        "state": {},
        "extensions": {},
    }
    await app(scope, receive, send)
    return sent
