"""A `mongod` on the PATH: preferred, made a replica set of one, and told when its port has changed.

The program is a stand-in; `SCRIZA_TEST_MONGO_URL` is for tests on a real one.
"""

import os
import socket
import sys
from pathlib import Path

import msgspec
import pytest
from pymongo import MongoClient

from scriza_adapters.mongo.embedded import EmbeddedServer, ServerFile
from scriza_adapters.mongo.engines import installed_engines


@pytest.fixture(autouse=True)
def mongod_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parents[1] / "standins/mongod.py"}" "$@"\n'
    (folder / "mongod").write_text(script)
    (folder / "mongod").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def hello(url: str) -> dict[str, object]:
    with MongoClient[dict[str, object]](url, timeoutMS=5000) as client:
        return client.admin.command("hello")


def test_a_mongod_on_the_path_is_preferred_and_becomes_a_replica_set_of_one(tmp_path: Path) -> None:
    assert installed_engines()[0].name == "mongod"
    server = EmbeddedServer(tmp_path / "data", start_timeout=20)
    try:
        said = hello(server.attach().url)
        assert (said["isWritablePrimary"], said["setName"]) == (True, "scriza")
    finally:
        server.detach()


def test_a_replica_set_whose_port_has_changed_is_writable_again(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data", start_timeout=20)
    server.attach()
    server.detach()
    port = msgspec.json.decode((tmp_path / "data/store/server.json").read_bytes(), type=ServerFile).port
    with socket.create_server(("127.0.0.1", port)):
        try:
            said = hello(server.attach().url)
        finally:
            server.detach()
    assert said["isWritablePrimary"] is True
    assert said["me"] != f"127.0.0.1:{port}"
