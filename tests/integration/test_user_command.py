"""``scriza user create``: the first account, made from the command line."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scriza.cli import CANNOT, main
from scriza.gateway.access import Bearer, Open, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.ports.accounts import Accounts, LogIn, SignIn
from scriza.wire import serve
from scriza_adapters.mongo.store import StoreOptions
from tests.accounts_rig import AccountsRig, accounts_rig
from tests.serving import serving

TOKEN = "a-service-token"


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[AccountsRig]:
    async with accounts_rig(store_options) as rig:
        yield rig


@pytest.fixture
async def url(rig: AccountsRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SCRIZA_SERVICE_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    routes = [
        behind(Bearer(), serve(Accounts, rig.accounts)),
        behind(Open("a test"), serve(SignIn, rig.sign_in)),
    ]
    async with serving(edge_around(routes, [ServiceAccess(TOKEN)])) as url:
        yield url


async def create(monkeypatch: pytest.MonkeyPatch, url: str, email: str, password: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    return await asyncio.to_thread(main, ["user", "create", email, "--password-stdin", "--to", url])


async def test_the_first_owner_is_made_and_can_log_in(
    rig: AccountsRig, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await create(monkeypatch, url, "ada@team.example", "a quiet morning walk") == 0
    assert "ada@team.example is owner and can log in" in capsys.readouterr().out
    assert (await rig.sign_in.log_in(LogIn("ada@team.example", "a quiet morning walk"))).tokens


async def test_what_is_wrong_is_said_in_a_sentence_and_nobody_is_made(
    rig: AccountsRig, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await create(monkeypatch, url, "ada@team.example", "password") == CANNOT
    assert "this password is one of the first that are tried" in capsys.readouterr().err
    assert not await rig.users.any()
