"""What runs beside the modules of a process: it holds nothing up, and leaves nothing behind."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from structlog.testing import capture_logs

from scriza.app import container_of
from scriza.container import Container
from scriza.opening import running
from scriza.ports.llm import Message, ScriptLine, Turn
from scriza.settings import load
from scriza_adapters.mongo.store import StoreOptions
from tests.databases import drop
from tests.waiting import eventually

Database = AsyncDatabase[dict[str, object]]


@pytest.fixture
async def database(store_options: StoreOptions) -> AsyncIterator[Database]:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(store_options.url)
    async with client:
        yield client[store_options.database]
        await drop(client[store_options.database])


@pytest.fixture
def store(store_options: StoreOptions, database: Database) -> dict[str, str]:
    return {"mongo_url": store_options.url, "mongo_database": database.name}


def container(data_dir: Path, **more: object) -> Container:
    return container_of(load(data_dir=data_dir, **more))


async def test_a_vendor_that_does_not_answer_holds_up_no_start_and_no_stop(
    store: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as vendor, capture_logs() as lines:
        url = f"http://127.0.0.1:{vendor.getsockname()[1]}"
        keys = {"openai_api_key": "k", "openai_base_url": url, "elevenlabs_api_key": "k", "elevenlabs_base_url": url}
        async with running(container(tmp_path, modules="llm,tts", **keys, **store)):
            vendor.settimeout(20)
            connection, _ = await asyncio.to_thread(vendor.accept)
        connection.close()
    assert "llm.warm_up_failed" not in {line["event"] for line in lines}, "it is waited for no longer than a moment"


@pytest.mark.parametrize(
    ("bound", "left"), [({"tts_cache_mb": 1}, ["new", "old"]), ({"tts_cache_days": 7}, ["new", "old", "oldest"])]
)
async def test_clips_beyond_a_bound_are_forgotten(
    store: dict[str, str], tmp_path: Path, bound: dict[str, int], left: list[str]
) -> None:
    clips = tmp_path / "objects" / "tts-cache" / "aa"
    clips.mkdir(parents=True)
    for days, name in ((0, "new"), (1, "old"), (2, "oldest"), (8, "ancient")):
        (clips / name).write_bytes(bytes(400_000))
        os.utime(clips / name, (time.time() - days * 86_400,) * 2)
    async with running(container(tmp_path, modules="tts", **bound, **store)):
        await eventually(lambda: len(list(clips.iterdir())) == len(left))
    assert sorted(path.name for path in clips.iterdir()) == left


async def test_what_was_used_just_before_a_stop_is_kept(
    store: dict[str, str], database: Database, tmp_path: Path
) -> None:
    made = container(tmp_path, modules="llm", **store)
    async with running(made):
        script = [ScriptLine("price", "Nineteen dollars.")]
        await made.llm().turn(Turn([Message("user", "how much is it")], conversation_id="c1", script=script))
    assert [row["lane"] for row in await database["outbox"].find().to_list()] == ["default/c1"]
