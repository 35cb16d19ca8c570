"""``scriza reports rebuild``: wrong sums are found and put right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from scriza.cli import main
from scriza.kernel.clock import utc_now
from scriza.modules.memory.documents import MEMORY_DOCUMENTS, report_days
from scriza.modules.memory.projection import told
from scriza.modules.memory.reports.books import ALL_QUARTERS, DaysWanted
from scriza.modules.memory.reports.stored import MongoFigures
from scriza.modules.memory.stored import MongoMemoryBook
from scriza_adapters.mongo.store import MongoStore, StoreOptions, open_store
from tests.contract.test_figures_book import events_of
from tests.databases import drop
from tests.report_calls import talk

YESTERDAY = utc_now() - timedelta(days=1)
THEN = DaysWanted(YESTERDAY.date(), YESTERDAY.date(), ALL_QUARTERS)


@asynccontextmanager
async def opened(options: StoreOptions) -> AsyncIterator[MongoStore]:
    """The store while no command runs, since documents belong to one store of a process at a time."""
    async with open_store(options, MEMORY_DOCUMENTS) as store:
        yield store


@pytest.fixture
async def three_calls(
    store_options: StoreOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Heard, and not yet counted; the command line finds the test's database."""
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SCRIZA_MONGO_URL", store_options.url)
    monkeypatch.setenv("SCRIZA_MONGO_DATABASE", store_options.database)
    monkeypatch.chdir(tmp_path)
    async with opened(store_options) as store:
        book = MongoMemoryBook(store)
        for number in range(3):
            for each in events_of(talk(f"CA{number}", playbook="", at=YESTERDAY), "default"):
                await book.hear(each, told(each))
    yield
    async with opened(store_options) as store:
        await drop(store.database)


async def rebuild() -> int:
    return await asyncio.to_thread(main, ["reports", "rebuild", "--days", "3"])


@pytest.mark.usefixtures("three_calls")
async def test_sums_are_made_of_logs_and_wrong_ones_are_put_right(
    store_options: StoreOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await rebuild() == 0
    assert capsys.readouterr().out == "Every sum was right.\n"
    async with opened(store_options) as store:
        (day,) = await MongoFigures(store).days("default", THEN)
        await report_days().delete_many({})
    assert await rebuild() == 0
    assert capsys.readouterr().out == "Sums that were wrong, and are right now: 1.\n"
    async with opened(store_options) as store:
        assert await MongoFigures(store).days("default", THEN) == [day]
