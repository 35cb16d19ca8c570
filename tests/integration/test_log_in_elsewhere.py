"""Log-in by other providers, against a provider that is a process of its own and lies in every way that it can."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pyotp
import pytest

from scriza.factories.accounts import identity_providers
from scriza.kernel.clock import utc_now
from scriza.kernel.errors import (
    BadInput,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    ScrizaError,
    Unauthenticated,
    UpstreamFailed,
)
from scriza.kernel.principal import Principal, acting
from scriza.modules.accounts.sign_in import Invited
from scriza.ports.accounts import (
    ExternalAnswer,
    ExternalBegun,
    ExternalLogIn,
    FactorCode,
    LoggedIn,
    SecondFactor,
    Tokens,
)
from scriza.ports.identity_provider import IdentityProvider
from scriza.settings import BadSettings, load
from scriza_adapters.identity_http import IdentityHttp
from scriza_adapters.mongo.store import StoreOptions
from scriza_adapters.oidc import GitHub, OidcProvider
from tests.accounts_rig import URL, AccountsRig, accounts_rig
from tests.standins.identity_provider import CLIENT_ID, CLIENT_SECRET, Dials

ADA = "ada@team.example"
CALLBACK = f"{URL}/console/callback"


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.standins.identity_provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.kill()  # it would wait for answers that it was told to be slow with


class Browser:
    """Goes to the provider and brings back what it says; sets the provider's dials before."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self._client = client

    async def dial(self, dials: Dials) -> None:
        await self._client.put(f"{self.url}/dials", content=msgspec.json.encode(dials))

    async def rotate_keys(self) -> None:
        await self._client.put(f"{self.url}/keys")

    async def goes(self, begun: ExternalBegun, **changed: str) -> ExternalAnswer:
        answer = await self._client.get(begun.url)
        location = answer.headers["location"]
        assert location.startswith(f"{CALLBACK}?")
        told = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        return ExternalAnswer(token=begun.token, **(told | changed))


@pytest.fixture
async def browser(provider_url: str) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(timeout=30) as client:
        browser = Browser(provider_url, client)
        await browser.dial(Dials())
        yield browser


@pytest.fixture
async def rig(store_options: StoreOptions, provider_url: str) -> AsyncIterator[AccountsRig]:
    http = IdentityHttp(seconds=20)
    told = (CLIENT_ID, CLIENT_SECRET, CALLBACK, http)
    providers: dict[str, IdentityProvider] = {
        "local": OidcProvider(provider_url, *told),
        "hasty": OidcProvider(provider_url, CLIENT_ID, CLIENT_SECRET, CALLBACK, IdentityHttp(seconds=0.3)),
        "unknown-here": OidcProvider(provider_url, CLIENT_ID, "another secret", CALLBACK, http),
        "github": GitHub(*told, site=provider_url, api=provider_url),
    }
    async with accounts_rig(store_options, providers) as rig:
        yield rig
    await http.aclose()


class MovingClock:
    """The real time, and what a test adds to it: the provider's tokens are of the real time."""

    ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


async def invitation(rig: AccountsRig, email: str = ADA) -> str:
    about = Invited(workspace="default", email=email, role="manager", by="a test")
    return await rig.one_time.make("invitation", about, timedelta(days=1))


async def logs_in(rig: AccountsRig, browser: Browser, provider: str = "local", invitation: str = "") -> LoggedIn:
    begun = await rig.sign_in.begin_external(ExternalLogIn(provider, invitation))
    return await rig.sign_in.finish_external(await browser.goes(begun))


async def joined(rig: AccountsRig, browser: Browser, provider: str = "local") -> Tokens:
    tokens = (await logs_in(rig, browser, provider, await invitation(rig))).tokens
    assert tokens
    return tokens


# ---- who is who ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["local", "github"])
async def test_who_is_invited_joins_and_logs_in_again(rig: AccountsRig, browser: Browser, provider: str) -> None:
    if provider == "github":
        await browser.dial(Dials(response_iss="-"))  # GitHub tells none
    first = await joined(rig, browser, provider)
    again = (await logs_in(rig, browser, provider)).tokens
    assert again
    assert (await rig.principal(first)).subject == (await rig.principal(again)).subject
    user = await rig.users.by_email(ADA)
    assert user
    issuer = "https://github.com 583231" if provider == "github" else f"{browser.url} ada"
    assert (user.identities, user.password, user.role) == ([issuer], "", "manager")


async def test_nobody_joins_uninvited_whatever_address_the_provider_tells(rig: AccountsRig, browser: Browser) -> None:
    await rig.joined(ADA)  # the address that the provider tells too
    with pytest.raises(Unauthenticated) as refused:
        await logs_in(rig, browser)
    assert refused.value.reason == "not-invited"


async def test_a_bad_invitation_does_not_even_begin(rig: AccountsRig) -> None:
    with pytest.raises(Forbidden):
        await rig.sign_in.begin_external(ExternalLogIn("local", "scz_invitation_1_" + "0" * 64))


async def test_an_unknown_provider_is_told(rig: AccountsRig) -> None:
    with pytest.raises(BadInput):
        await rig.sign_in.begin_external(ExternalLogIn("nobody"))


async def test_an_identity_is_linked_by_whoever_is_logged_in(rig: AccountsRig, browser: Browser) -> None:
    principal = await rig.principal(await rig.joined(ADA))
    with acting(principal):
        begun = await rig.accounts.begin_link(ExternalLogIn("local"))
        await rig.accounts.finish_link(await browser.goes(begun))
    tokens = (await logs_in(rig, browser)).tokens
    assert tokens
    assert (await rig.principal(tokens)).subject == principal.subject


async def test_an_identity_is_one_person_s(rig: AccountsRig, browser: Browser) -> None:
    await joined(rig, browser)
    with acting(await rig.principal(await rig.joined("ben@team.example"))):
        answer = await browser.goes(await rig.accounts.begin_link(ExternalLogIn("local")))
        with pytest.raises(Conflict):
            await rig.accounts.finish_link(answer)


async def test_what_is_linked_is_listed_and_can_be_unlinked_but_for_the_last_way_in(
    rig: AccountsRig, browser: Browser
) -> None:
    with acting(await rig.principal(await joined(rig, browser))):
        (only,) = (await rig.accounts.identities()).data
        assert only.issuer == browser.url
        with pytest.raises(Conflict, match="last way in"):
            await rig.accounts.unlink(only.identity_id)
        assert len((await rig.accounts.identities()).data) == 1
    ben = await rig.principal(await rig.joined("ben@team.example"))
    await browser.dial(Dials(subject="ben"))
    with acting(ben):
        await rig.accounts.finish_link(await browser.goes(await rig.accounts.begin_link(ExternalLogIn("local"))))
        (linked,) = (await rig.accounts.identities()).data
        for _ in range(2):
            await rig.accounts.unlink(linked.identity_id)
        assert (await rig.accounts.identities()).data == []
    with pytest.raises(ScrizaError):
        await logs_in(rig, browser)


async def test_who_has_an_account_takes_no_invitation_by_linking(rig: AccountsRig) -> None:
    ben = await rig.principal(await rig.joined("ben@team.example"))
    with acting(ben), pytest.raises(BadInput, match="invitation"):
        await rig.accounts.begin_link(ExternalLogIn("local", "scz_invitation_x"))


async def test_the_providers_are_listed_for_who_wants_to_log_in(rig: AccountsRig) -> None:
    assert (await rig.sign_in.providers()).data == ["github", "hasty", "local", "unknown-here"]


async def test_of_two_who_link_one_identity_at_once_one_has_it(rig: AccountsRig, browser: Browser) -> None:
    async def links(principal: Principal, answer: ExternalAnswer) -> object:
        with acting(principal):
            return await rig.accounts.finish_link(answer)

    people = [await rig.principal(await rig.joined(f"{name}@team.example")) for name in ("ada", "ben", "eve")]
    linking = []
    for person in people:
        with acting(person):
            linking.append(links(person, await browser.goes(await rig.accounts.begin_link(ExternalLogIn("local")))))
    results = await asyncio.gather(*linking, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "Done"]


async def test_what_one_has_begun_to_link_another_cannot_finish(rig: AccountsRig, browser: Browser) -> None:
    with acting(await rig.principal(await rig.joined(ADA))):
        first, second = [await rig.accounts.begin_link(ExternalLogIn("local")) for _ in range(2)]
    with acting(await rig.principal(await rig.joined("ben@team.example"))), pytest.raises(Unauthenticated):
        await rig.accounts.finish_link(await browser.goes(first))
    with pytest.raises(Unauthenticated):
        await rig.sign_in.finish_external(await browser.goes(second))


async def test_another_provider_does_not_go_around_the_second_factor(rig: AccountsRig, browser: Browser) -> None:
    with acting(await rig.principal(await joined(rig, browser))):
        totp = pyotp.TOTP((await rig.accounts.begin_second_factor()).secret)
        await rig.accounts.confirm_second_factor(FactorCode(totp.at(rig.clock())))
    rig.clock.pass_(seconds=30)
    begun = await logs_in(rig, browser)
    assert begun.tokens is None
    assert await rig.sign_in.second_factor(SecondFactor(begun.challenge, totp.at(rig.clock())))


async def test_who_is_disabled_is_out_here_too(rig: AccountsRig, browser: Browser) -> None:
    user_id = (await rig.principal(await joined(rig, browser))).subject
    with acting(await rig.principal(await rig.joined("root@team.example"))):
        await rig.accounts.disable(user_id)
    with pytest.raises(Unauthenticated):
        await logs_in(rig, browser)


# ---- lies ----------------------------------------------------------------------------------------------------------

LIES = {
    "another nonce": Dials(claims={"nonce": "another"}),
    "no nonce": Dials(without=["nonce"]),
    "another issuer": Dials(claims={"iss": "https://evil.example"}),
    "another audience": Dials(claims={"aud": "somebody"}),
    "us among others, for nobody": Dials(claims={"aud": [CLIENT_ID, "somebody"]}),
    "us among others, for another": Dials(claims={"aud": [CLIENT_ID, "somebody"], "azp": "somebody"}),
    "no subject": Dials(claims={"sub": ""}),
    "a subject that is no text": Dials(claims={"sub": 7}),
    "expired": Dials(claims={"exp": 1_000_000_000}),
    "not yet issued": Dials(claims={"iat": 9_000_000_000}),
    "unsigned": Dials(algorithm="none"),
    "signed by the public key as a secret": Dials(algorithm="HS256"),
    "a key that nobody knows": Dials(kid="k0"),
    "a key of its own": Dials(jwk=True),
    "a response of another issuer": Dials(response_iss="https://evil.example"),
    "a response of no issuer": Dials(response_iss="-"),
    "a refusal": Dials(status=403),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_provider_that_lies_lets_nobody_in(rig: AccountsRig, browser: Browser, lie: str) -> None:
    await joined(rig, browser)
    await browser.dial(LIES[lie])
    with pytest.raises(Unauthenticated):
        await logs_in(rig, browser)


@pytest.mark.parametrize(
    ("provider", "dials", "error"),
    [
        ("hasty", Dials(slow=20), DeadlineExceeded),
        ("local", Dials(huge=True), UpstreamFailed),
        ("local", Dials(status=500), UpstreamFailed),
    ],
)
async def test_a_provider_that_fails_is_not_waited_for(
    rig: AccountsRig, browser: Browser, provider: str, dials: Dials, error: type[ScrizaError]
) -> None:
    await browser.dial(dials)
    with pytest.raises(error):
        await logs_in(rig, browser, provider)


@pytest.mark.parametrize("dials", [Dials(issuer="https://evil.example"), Dials(endpoint="http://192.0.2.1/token")])
async def test_metadata_of_another_issuer_or_without_tls_is_not_followed(
    rig: AccountsRig, browser: Browser, dials: Dials
) -> None:
    await browser.dial(dials)
    with pytest.raises(UpstreamFailed):
        await rig.sign_in.begin_external(ExternalLogIn("local"))


async def test_a_client_that_the_provider_does_not_know_gets_nothing(rig: AccountsRig, browser: Browser) -> None:
    with pytest.raises(Unauthenticated):
        await logs_in(rig, browser, "unknown-here")


async def test_a_code_and_a_token_are_good_once(rig: AccountsRig, browser: Browser) -> None:
    await joined(rig, browser)
    begun = await rig.sign_in.begin_external(ExternalLogIn("local"))
    answer = await browser.goes(begun)
    await rig.sign_in.finish_external(answer)
    with pytest.raises(Unauthenticated):
        await rig.sign_in.finish_external(answer)
    other = await browser.goes(await rig.sign_in.begin_external(ExternalLogIn("local")), code=answer.code)
    with pytest.raises(Unauthenticated):
        await rig.sign_in.finish_external(other)


async def test_a_code_that_a_stranger_has_got_logs_nobody_in_as_the_stranger(
    rig: AccountsRig, browser: Browser
) -> None:
    await joined(rig, browser)
    strangers = await browser.goes(await rig.sign_in.begin_external(ExternalLogIn("local")))
    mine = await rig.sign_in.begin_external(ExternalLogIn("local"))
    injected = msgspec.structs.replace(await browser.goes(mine), code=strangers.code)
    with pytest.raises(Unauthenticated):  # the verifier is another
        await rig.sign_in.finish_external(injected)
    again = await browser.goes(await rig.sign_in.begin_external(ExternalLogIn("local")), state=strangers.state)
    with pytest.raises(Unauthenticated):
        await rig.sign_in.finish_external(again)


async def test_the_address_shows_neither_the_token_nor_the_verifier(rig: AccountsRig) -> None:
    begun = await rig.sign_in.begin_external(ExternalLogIn("local", await invitation(rig)))
    asked = parse_qs(urlsplit(begun.url).query)
    assert set(asked) == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert begun.token not in begun.url
    assert "invitation" not in begun.url


async def test_a_log_in_that_was_begun_is_good_for_ten_minutes(rig: AccountsRig, browser: Browser) -> None:
    begun = await rig.sign_in.begin_external(ExternalLogIn("local"))
    rig.clock.pass_(minutes=10)
    with pytest.raises(Unauthenticated):
        await rig.sign_in.finish_external(await browser.goes(begun))


async def test_keys_that_the_provider_has_rotated_are_asked_for_again(
    store_options: StoreOptions, browser: Browser
) -> None:
    clock = MovingClock()
    provider = OidcProvider(browser.url, CLIENT_ID, CLIENT_SECRET, CALLBACK, IdentityHttp(), clock)
    async with accounts_rig(store_options, {"local": provider}) as rig:
        await joined(rig, browser)
        await browser.rotate_keys()
        with pytest.raises(Unauthenticated):  # asked within the minute
            await logs_in(rig, browser)
        clock.ahead = timedelta(seconds=61)
        assert (await logs_in(rig, browser)).tokens


# ---- settings ------------------------------------------------------------------------------------------------------


async def test_providers_are_set_by_name() -> None:
    told = "google=a:b, github=c:d:e@f, own=g:h@https://id.example/realms/x, near=i:j@http://127.0.0.1:1"
    providers = identity_providers(load(oidc_providers=told), IdentityHttp())
    assert {name: type(provider) for name, provider in providers.items()} == {
        "google": OidcProvider,
        "github": GitHub,
        "own": OidcProvider,
        "near": OidcProvider,
    }


@pytest.mark.parametrize(
    "told",
    ["google", "google=a", "own=a:hush", "own=a:hush@http://id.example", "google=a:hush,google=c:hush", "A b=c:hush"],
)
async def test_providers_that_cannot_be_are_refused_without_their_secrets(told: str) -> None:
    with pytest.raises(BadSettings, match="SCRIZA_OIDC_PROVIDERS") as refused:
        identity_providers(load(oidc_providers=told), IdentityHttp())
    assert "hush" not in str(refused.value)
