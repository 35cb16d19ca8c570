"""Ten thousand bad log-ins: they are limited before a password is hashed, and the right person still gets in."""

import asyncio
from collections import Counter
from pathlib import Path

import argon2
import httpx
import pytest
from litestar import Litestar

from scriza.app import application, container_of
from scriza.kernel.ids import derived_id
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.ports.accounts import Invite, SignUp
from scriza.settings import load
from tests.databases import drop

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ADA, PASSWORD = "ada@team.example", "an evening by the sea"
FROM_ONE = FROM_MANY = 5_000
SIDE_BY_SIDE = 50
PROXY = "127.0.0.1"


class Hashed:
    """How often argon2 was asked, by whoever asks it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        verify = argon2.PasswordHasher.verify

        def counted(hasher: argon2.PasswordHasher, *told: str) -> bool:
            self.times += 1
            return bool(verify(hasher, *told))

        monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)


async def logs_in(client: httpx.AsyncClient, email: str, password: str, address: str) -> httpx.Response:
    body = {"email": email, "password": password}
    return await client.post("/api/v1/auth/login", json=body, headers={"x-forwarded-for": address})


async def flood(client: httpx.AsyncClient, tries: list[tuple[str, str]]) -> Counter[int]:
    """Log in with a wrong password, each as an address from another; by status."""
    room, statuses = asyncio.Semaphore(SIDE_BY_SIDE), Counter[int]()

    async def once(number: int, email: str, address: str) -> None:
        async with room:
            statuses[(await logs_in(client, email, f"wrong {number}", address)).status_code] += 1

    async with asyncio.TaskGroup() as tasks:
        for number, (email, address) in enumerate(tries):
            tasks.create_task(once(number, email, address))
    return statuses


async def test_ten_thousand_bad_log_ins_are_refused_before_they_cost_anything(
    tmp_path: Path, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(data_dir=tmp_path, mongo_url=mongo_url, mongo_database="bad_log_ins", trusted_proxies=PROXY)
    container = container_of(settings)
    app: Litestar = application(container)
    async with app.lifespan():
        transport = httpx.ASGITransport(app, client=(PROXY, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
            with acting(Principal(scopes=frozenset({ALL}))):
                invited = await container.accounts().invite(Invite(ADA, "owner"))
            await container.sign_in().sign_up(SignUp(invited.token, "Ada", PASSWORD))
            hashed = Hashed(monkeypatch)

            one = await flood(client, [(f"somebody{n}@else.example", "203.0.113.7") for n in range(FROM_ONE)])
            of_one = hashed.times
            many = await flood(client, [(ADA, f"203.0.{n // 250}.{n % 250}") for n in range(FROM_MANY)])
            of_many = hashed.times - of_one
            print(f"\nfrom one address: {dict(one)}, hashed {of_one}; of one account: {dict(many)}, hashed {of_many}")

            assert one.keys() | many.keys() <= {401, 429}
            assert of_one == one[401] <= 30  # ten a minute, and the flood may last into a second or third one
            assert of_many == many[401] <= 10
            locked = await logs_in(client, ADA, PASSWORD, "198.51.100.1")
            assert locked.status_code == 429
            assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
            again = await logs_in(client, "nobody@else.example", PASSWORD, "198.51.100.2")
            wrong = await logs_in(client, "somebody1@else.example", PASSWORD, "198.51.100.3")
            assert {again.status_code, wrong.status_code} == {401}
            assert again.json() | {"request_id": ""} == wrong.json() | {"request_id": ""}
            await container.shared_state().delete(f"tries:login:{derived_id('addr', ADA)}")  # as time does
            assert (await logs_in(client, ADA, PASSWORD, "198.51.100.1")).status_code == 200
        await drop(container.store().database)
