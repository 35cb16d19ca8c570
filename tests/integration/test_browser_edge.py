"""What browsers are told and may load: headers of every answer, CORS by an allow-list, landing page, static files."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import get
from litestar.testing import AsyncTestClient

from scriza.factories import edge as edge_parts
from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.settings import BadSettings, load

CONSOLE = "https://console.example"


@get("/api/v1/things")
async def things() -> str:
    return "things"


@asynccontextmanager
async def edge(**told: object) -> AsyncIterator[httpx.AsyncClient]:
    settings = load(**told)
    app = edge_around(
        [behind(Bearer(), things), edge_parts.pages(settings, ["telephony", "agent"])],
        [ServiceAccess("token")],
        cors=edge_parts.cors(settings),
        https=settings.public_url.startswith("https://"),
    )
    async with AsyncTestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/api/v1/things", "/nowhere", "/static/nothing", "/schema/openapi.json"])
async def test_every_answer_forbids_guessing_framing_and_leaking(path: str) -> None:
    async with edge() as client:
        headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers.get_list("content-security-policy")[0].startswith("default-src 'none'")
    assert len(headers.get_list("content-security-policy")) == 1
    assert "strict-transport-security" not in headers


async def test_over_https_browsers_are_to_insist_on_it_for_a_year() -> None:
    async with edge(public_url="https://scriza.example") as client:
        assert "max-age=31536000" in (await client.get("/")).headers["strict-transport-security"]


async def test_the_landing_page_tells_what_runs_and_leads_on() -> None:
    async with edge(public_url="https://scriza.example") as client:
        answer = await client.get("/")
        page = answer.text
        links = re.findall(r'(?:href|src)="([^"]+)"', page)
        assert {"/schema/scalar", "/schema/swagger", "/schema/openapi.json", "/health/ready"} < set(links)
        parts = {link: await client.get(link) for link in links if link.startswith("/static/")}
    assert answer.headers["content-type"].startswith("text/html")
    assert "telephony, agent" in page
    assert "https://scriza.example/voice" in page
    assert "{{" not in page
    assert len(parts) == 2
    assert {part.status_code for part in parts.values()} == {200}


async def test_its_parts_load_under_its_policy_and_are_kept_for_ever() -> None:
    async with edge() as client:
        answer = await client.get("/")
        style = re.search(r'href="(/static/page\.[0-9a-f]{12}\.css)"', answer.text)
        assert style
        sheet = await client.get(style[1])
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert sheet.headers["content-type"].startswith("text/css")
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../pages.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static/....//app.py",
        "/static/%00",
        "/static/index.html",
        "/static/page.css",
        "/static//etc/passwd",
        "/static/",
    ],
)
async def test_no_path_escapes_from_the_static_files(path: str) -> None:
    async with edge() as client:
        answer = await client.request("GET", httpx.URL("http://testserver.local" + path))
    assert answer.status_code == 404


async def test_a_site_that_is_not_named_may_not_call() -> None:
    async with edge(cors_origins=CONSOLE) as client:
        headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
        preflight = await client.options("/api/v1/things", headers=headers)
        answer = await client.get("/api/v1/things", headers={"origin": f"{CONSOLE}.evil.example"})
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_a_site_that_is_named_may_call_with_a_token_but_without_cookies() -> None:
    async with edge(cors_origins=f"{CONSOLE}, http://localhost:5173") as client:
        asked = {
            "origin": CONSOLE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, idempotency-key",
        }
        preflight = await client.options("/api/v1/things", headers=asked)
        answer = await client.get("/api/v1/things", headers={"origin": CONSOLE, "authorization": "Bearer token"})
    assert preflight.headers["access-control-allow-origin"] == CONSOLE
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"].lower()
    assert answer.headers["access-control-allow-origin"] == CONSOLE
    assert "access-control-allow-credentials" not in answer.headers
    assert "ratelimit" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("value", ["*", "https://*.example", "https://a.example/path", "a.example", "file:///x"])
def test_an_allow_list_of_wildcards_or_paths_is_refused(value: str) -> None:
    with pytest.raises(BadSettings, match="SCRIZA_CORS_ORIGINS"):
        load(cors_origins=value)


def test_what_is_no_address_of_a_proxy_is_refused() -> None:
    with pytest.raises(BadSettings, match="SCRIZA_TRUSTED_PROXIES"):
        load(trusted_proxies="10.0.0.0/8, proxy.example")


@pytest.mark.parametrize("reader", ["swagger", "scalar"])
async def test_the_readers_of_the_api_load_under_their_policy(reader: str) -> None:
    async with edge() as client:
        answer = await client.get(f"/schema/{reader}")
    policy = answer.headers["content-security-policy"]
    hosts = set(re.findall(r'(?:src|href)="(https://[^/"]+)', answer.text))
    assert hosts
    assert all(host in policy for host in hosts)
