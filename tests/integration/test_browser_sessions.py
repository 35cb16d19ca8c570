"""Sessions of the console through the whole edge: cookies that only we set, only we read, and only our pages use."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pyotp
import pytest
from litestar.datastructures import Headers

from scriza.gateway.access import Bearer, KnownCredentials, ServiceAccess, behind
from scriza.gateway.browser import browser_routes
from scriza.gateway.cookies import access_token
from scriza.gateway.edge import edge_around
from scriza.kernel.errors import Forbidden
from scriza.kernel.principal import acting
from scriza.ports.accounts import Accounts, FactorCode
from scriza.wire import serve
from scriza_adapters.mongo.store import StoreOptions
from tests.accounts_rig import PASSWORD, URL, AccountsRig, accounts_rig

ADA = "ada@team.example"
ACCESS, REFRESH, CSRF = "__Host-scriza", "__Host-scriza-refresh", "__Host-scriza-csrf"
LOG_OUT_EVERYWHERE = "/api/v1/users/me/log-out-everywhere"


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[AccountsRig]:
    async with accounts_rig(store_options) as rig:
        yield rig


@pytest.fixture
def app(rig: AccountsRig) -> Any:
    return edge_around(
        [behind(Bearer(), serve(Accounts, rig.accounts)), browser_routes(lambda: rig.sign_in)],
        [ServiceAccess("a-service-token"), KnownCredentials(lambda: rig.accounts)],
    )


@pytest.fixture
async def browser(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Keeps cookies as a browser does."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as browser:
        yield browser


async def logged_in(rig: AccountsRig, browser: httpx.AsyncClient) -> httpx.Response:
    await rig.joined(ADA)
    return await browser.post("/console/log-in", json={"email": ADA, "password": PASSWORD})


def csrf(browser: httpx.AsyncClient) -> dict[str, str]:
    return {"x-csrf-token": browser.cookies[CSRF]}


def set_by(answer: httpx.Response) -> SimpleCookie:
    cookies = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        cookies.load(line)
    return cookies


async def test_a_log_in_sets_cookies_that_are_ours_alone_and_tells_no_token(
    rig: AccountsRig, browser: httpx.AsyncClient
) -> None:
    answer = await logged_in(rig, browser)
    cookies = set_by(answer)
    assert set(cookies) == {ACCESS, REFRESH, CSRF}
    for name, cookie in cookies.items():
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "strict")
        assert cookie["secure"] is True
        assert bool(cookie["httponly"]) == (name != CSRF)
    assert answer.json() == {"expires_in": 600}
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cookie_opens_what_a_bearer_token_would(rig: AccountsRig, browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/api/v1/users/me")).status_code == 401
    await logged_in(rig, browser)
    assert (await browser.get("/api/v1/users/me")).json()["user"]["email"] == ADA
    assert (await browser.post(LOG_OUT_EVERYWHERE, headers=csrf(browser))).json() == {"done": True}
    assert (await browser.get("/api/v1/users/me")).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"x-csrf-token": ""}, {"x-csrf-token": "guess"}, {"x-csrf-token": "é"}])
async def test_without_the_token_of_our_pages_nothing_is_changed(
    rig: AccountsRig, browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await logged_in(rig, browser)
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    for path in (LOG_OUT_EVERYWHERE, "/console/refresh", "/console/log-out"):
        answer = await browser.post(path, headers=httpx.Headers(sent))
        assert (answer.status_code, answer.json()["reason"]) == (403, "csrf")
    assert (await browser.get("/api/v1/users/me")).status_code == 200


@pytest.mark.parametrize(
    "told",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": URL},
        {"origin": "https://evil.example"},
        {"origin": "https://scriza.example.evil.example"},
        {"origin": "null"},
    ],
)
async def test_another_site_is_refused_whatever_token_it_has(
    rig: AccountsRig, browser: httpx.AsyncClient, told: dict[str, str]
) -> None:
    await logged_in(rig, browser)
    for path in (LOG_OUT_EVERYWHERE, "/console/refresh", "/console/log-out"):
        answer = await browser.post(path, headers=csrf(browser) | told)
        assert (answer.status_code, answer.json()["reason"]) == (403, "cross-site")
    answer = await browser.post("/console/log-in", json={"email": ADA, "password": PASSWORD}, headers=told)
    assert answer.status_code == 403
    assert not set_by(answer)


@pytest.mark.parametrize("told", [{"sec-fetch-site": "same-origin"}, {"origin": URL}, {}])
async def test_our_own_pages_may(rig: AccountsRig, browser: httpx.AsyncClient, told: dict[str, str]) -> None:
    await logged_in(rig, browser)
    assert (await browser.post(LOG_OUT_EVERYWHERE, headers=csrf(browser) | told)).status_code == 200


async def test_a_bearer_token_needs_none_of_this_and_goes_before_a_cookie(
    rig: AccountsRig, browser: httpx.AsyncClient
) -> None:
    await logged_in(rig, browser)
    bearer = {"authorization": f"Bearer {browser.cookies[ACCESS]}", "sec-fetch-site": "cross-site"}
    assert (await browser.get("/api/v1/users/me", headers={"authorization": "Bearer guess"})).status_code == 401
    assert (await browser.get("/api/v1/users/me", headers={"authorization": "Basic eDp4"})).status_code == 401
    assert (await browser.post(LOG_OUT_EVERYWHERE, headers=bearer)).status_code == 200


async def test_a_log_in_takes_over_nothing_that_was_there_before(rig: AccountsRig, browser: httpx.AsyncClient) -> None:
    planted = {ACCESS: "a.b.c", REFRESH: "scz_refresh_1_" + "0" * 64, CSRF: "planted"}
    for name, value in planted.items():
        browser.cookies.set(name, value, domain="scriza.example")
    cookies = set_by(await logged_in(rig, browser))
    assert all(cookies[name].value != value for name, value in planted.items())


async def test_a_refresh_changes_all_and_the_old_refresh_token_ends_the_session(
    rig: AccountsRig, browser: httpx.AsyncClient
) -> None:
    await logged_in(rig, browser)
    old = dict(browser.cookies)
    assert (await browser.post("/console/refresh", headers=csrf(browser))).json() == {"expires_in": 600}
    assert all(browser.cookies[name] != value for name, value in old.items() if name != ACCESS)
    mine = {"cookie": f"{ACCESS}={browser.cookies[ACCESS]}"}
    browser.cookies.clear()
    thief = {"cookie": "; ".join(f"{name}={value}" for name, value in old.items()), "x-csrf-token": old[CSRF]}
    assert (await browser.post("/console/refresh", headers=thief)).status_code == 401
    assert (await browser.get("/api/v1/users/me", headers=mine)).status_code == 401


async def test_logging_out_ends_the_session_and_has_the_browser_forget_it(
    rig: AccountsRig, browser: httpx.AsyncClient
) -> None:
    await logged_in(rig, browser)
    kept = {"authorization": f"Bearer {browser.cookies[ACCESS]}"}
    cookies = set_by(await browser.post("/console/log-out", headers=csrf(browser)))
    assert {(name, cookie.value, cookie["max-age"]) for name, cookie in cookies.items()} == {
        (ACCESS, "", "0"),
        (REFRESH, "", "0"),
        (CSRF, "", "0"),
    }
    assert not dict(browser.cookies)
    assert (await browser.get("/api/v1/users/me", headers=kept)).status_code == 401


async def test_a_second_factor_comes_before_any_cookie(rig: AccountsRig, browser: httpx.AsyncClient) -> None:
    with acting(await rig.principal(await rig.joined(ADA))):
        totp = pyotp.TOTP((await rig.accounts.begin_second_factor()).secret)
        await rig.accounts.confirm_second_factor(FactorCode(totp.at(rig.clock())))
    rig.clock.pass_(seconds=30)
    begun = await browser.post("/console/log-in", json={"email": ADA, "password": PASSWORD})
    assert not set_by(begun)
    answer = {"challenge": begun.json()["challenge"], "code": totp.at(rig.clock())}
    assert set(set_by(await browser.post("/console/second-factor", json=answer))) == {ACCESS, REFRESH, CSRF}


@pytest.mark.parametrize(
    ("told", "opens"),
    [
        ({"origin": URL}, True),
        ({"sec-fetch-site": "same-origin", "origin": URL}, True),
        ({"origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "cross-site", "origin": URL}, False),
        ({}, False),
    ],
)
def test_a_socket_is_opened_by_a_cookie_only_from_our_pages(told: dict[str, str], opens: bool) -> None:
    headers = Headers({"host": "scriza.example", **told})
    if opens:
        assert access_token("", headers, {ACCESS: "a.b.c"}) == "a.b.c"
        return
    with pytest.raises(Forbidden):
        access_token("", headers, {ACCESS: "a.b.c"})


async def test_a_wrong_password_sets_nothing(rig: AccountsRig, browser: httpx.AsyncClient) -> None:
    await rig.joined(ADA)
    answer = await browser.post("/console/log-in", json={"email": ADA, "password": "a guess or two"})
    assert answer.status_code == 401
    assert not set_by(answer)
