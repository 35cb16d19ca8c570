"""The doctor's word on the shared state, and what a start says when it is not there."""

import socket
from pathlib import Path
from typing import Any

import pytest
import structlog

from scriza.app import application, container_of
from scriza.cli.doctor import examine
from scriza.opening import running
from scriza.settings import BadSettings, load
from scriza_adapters.mongo.store import StoreOptions
from tests.standins.redis_server import NEEDED, installed, redis_server
from tests.waiting import eventually


async def findings(folder: Path, store: StoreOptions, **settings: Any) -> list[tuple[str, str]]:
    told = {"mongo_url": store.url, "mongo_database": store.database}
    found = [finding async for finding in examine(load(data_dir=folder, **told, **settings))]
    return [(finding.verdict, finding.text) for finding in found if finding.what == "Redis"]


@pytest.fixture
def nowhere() -> str:
    """Where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://:sesame@127.0.0.1:{probe.getsockname()[1]}/0"


async def test_the_doctor_asks_redis_where_it_is_set(tmp_path: Path, store_options: StoreOptions) -> None:
    if not installed():
        pytest.skip(NEEDED)
    assert await findings(tmp_path, store_options) == []
    with redis_server(tmp_path / "redis") as server:
        assert await findings(tmp_path, store_options, redis_url=server.url) == [("ok", "it answers")]


async def test_the_doctor_names_the_setting_that_is_wrong(
    tmp_path: Path, store_options: StoreOptions, nowhere: str
) -> None:
    ((verdict, text),) = await findings(tmp_path, store_options, redis_url=nowhere)
    assert (verdict, "SCRIZA_REDIS_URL" in text, "sesame" in text) == ("bad", True, False)


def test_a_url_that_is_none_is_a_bad_setting(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="SCRIZA_REDIS_URL: a Redis URL begins with"):
        application(container_of(load(data_dir=tmp_path, redis_url="http://127.0.0.1")))


async def test_a_start_without_its_redis_goes_on_and_says_so(
    tmp_path: Path, store_options: StoreOptions, nowhere: str
) -> None:
    told = {"mongo_url": store_options.url, "mongo_database": store_options.database, "modules": "llm"}
    container = container_of(load(data_dir=tmp_path, redis_url=nowhere, **told))
    with structlog.testing.capture_logs() as logs:
        async with running(container):
            await eventually(lambda: "shared_state.failed" in [line["event"] for line in logs])
    assert "sesame" not in str(logs)
