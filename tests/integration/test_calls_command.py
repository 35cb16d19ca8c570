"""``scriza calls``: the switch, turned from the command line."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scriza.cli import CANNOT, main
from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.ports.call_desk import CallDesk, Switch
from scriza.wire import serve
from tests.memory_placing import MemoryPlacing
from tests.serving import serving

TOKEN = "a-service-token"


@pytest.fixture
def placing() -> MemoryPlacing:
    return MemoryPlacing(clock=lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture
async def url(placing: MemoryPlacing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A Scriza whose service token the command line knows."""
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SCRIZA_SERVICE_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    desk = placing.desk(agent=None)  # type: ignore[arg-type]  # who turns the switch asks no agent
    app = edge_around([behind(Bearer(), serve(CallDesk, desk))], [ServiceAccess(TOKEN)])
    async with serving(app) as served:
        yield served


async def command(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["calls", *arguments])


async def test_all_calls_are_stopped_and_taken_up_again(
    url: str, placing: MemoryPlacing, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("stop", "--to", url) == 0
    assert placing.switch.stopped()
    assert placing.closed
    assert "All calls are stopped" in capsys.readouterr().out
    assert await command("resume", "--to", url + "/") == 0
    assert await placing.switch_book.read() == Switch(False, datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert capsys.readouterr().out == "Calls are taken and placed.\n"


async def test_a_wrong_token_turns_nothing(
    url: str, placing: MemoryPlacing, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCRIZA_SERVICE_TOKEN", "guess")
    assert await command("stop", "--to", url) == CANNOT
    assert not placing.switch.stopped()
    assert capsys.readouterr().err.startswith("scriza: ")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "127.0.0.1:9"])
async def test_where_nothing_runs_that_is_said_in_a_sentence(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path))
    assert await command("stop", "--to", address) == CANNOT
    assert "http://127.0.0.1:9: CallDesk cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["ftp://127.0.0.1:9", "http://", "http://me:secret@127.0.0.1:9", "http://[", ":"])
async def test_an_address_that_is_none_is_refused_in_a_sentence(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path))
    assert await command("stop", "--to", address) == CANNOT
    assert capsys.readouterr().err.startswith("scriza: --to: ")
