"""A database that cannot be used is refused with a sentence that says what to do, and without the password."""

import asyncio
import sys
from pathlib import Path

import pytest

from scriza.kernel.errors import ScrizaError, Unavailable
from scriza_adapters.mongo.store import StoreOptions, open_store
from tests.serving import listening_socket


async def refusal(tmp_path: Path, url: str, answer_within: float = 2) -> str:
    with pytest.raises(Unavailable) as refused:
        async with open_store(StoreOptions(data_dir=tmp_path, url=url, answer_within=answer_within), []):
            pass
    assert "secret" not in str(refused.value)
    return refused.value.detail


def free_port() -> int:
    with listening_socket() as sock:
        return int(sock.getsockname()[1])


async def test_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    said = await refusal(tmp_path, f"mongodb://scriza:secret@127.0.0.1:{port}/")
    assert f"no MongoDB answers at 127.0.0.1:{port}" in said


@pytest.mark.parametrize("url", ["localhost:27017:secret", "http://secret@localhost", "mongodb://a:secret:b@c/"])
async def test_not_a_url_of_mongodb(tmp_path: Path, url: str) -> None:
    assert "SCRIZA_MONGO_URL is not a MongoDB URL" in await refusal(tmp_path, url)


async def test_a_standalone_server_has_no_transactions(tmp_path: Path) -> None:
    port = free_port()
    program = Path(__file__).parents[1] / "standins/mongod.py"
    arguments = ("--dbpath", tmp_path, "--port", port, "--bind_ip", "127.0.0.1")
    standalone = await asyncio.create_subprocess_exec(sys.executable, program, *map(str, arguments))
    try:
        said = await refusal(tmp_path, f"mongodb://127.0.0.1:{port}/", answer_within=40)  # it has yet to start
    finally:
        standalone.terminate()
        await standalone.wait()
    assert "--replSet" in said


async def test_a_data_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file is in the way")
    with pytest.raises(ScrizaError, match="SCRIZA_DATA_DIR"):
        async with open_store(StoreOptions(data_dir=tmp_path), []):
            pass
