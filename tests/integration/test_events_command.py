"""``scriza events``: what is parked, and how it is delivered again."""

import asyncio
from pathlib import Path

import pytest

from scriza.cli import CANNOT, main
from scriza.cli.doctor import examine
from scriza.settings import load
from scriza_adapters.mongo.parking import parked
from scriza_adapters.mongo.store import MongoStore, StoreOptions
from tests.integration.test_event_bus import USAGE, settled, told
from tests.integration.test_event_bus_consumers import Poisoned
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def same_store(store_options: StoreOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line finds the test's database."""
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SCRIZA_MONGO_URL", store_options.url)
    monkeypatch.setenv("SCRIZA_MONGO_DATABASE", store_options.database)
    monkeypatch.chdir(tmp_path)


async def command(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["events", *arguments])


async def test_where_all_was_dealt_with_there_is_nothing_to_list(
    store: MongoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("parked") == 0
    assert capsys.readouterr().out == "Every event was dealt with.\n"


async def test_what_is_parked_is_listed_and_delivered_again_when_it_is_mended(
    store: MongoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    ear = Poisoned(told(1).id, ValueError("no such field"))
    store.bus.subscribe("usage", USAGE, ear)
    await store.outbox.publish(told(1))
    await settled(store)
    assert await command("parked") == 0
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert f"usage/{told(1).id}" in said
    findings = [finding async for finding in examine(load())]
    assert [finding.text for finding in findings if finding.what == "events"] == [
        "1 could not be dealt with: `scriza events parked` lists them"
    ]
    ear.mended = True
    assert await command("retry") == 0
    await eventually(lambda: told(1) in ear.heard)  # once at least
    assert await parked(store.database) == []


async def test_what_is_not_parked_cannot_be_delivered_again(
    store: MongoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("retry", "usage/evt_unknown") == CANNOT
    assert "no such event is parked" in capsys.readouterr().err
