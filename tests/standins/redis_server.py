"""A real Redis for tests, on a free loopback port; there is no stand-in for it."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 20.0
NEEDED = "needs a Redis server: the Debian package redis-server"


class RedisServer:
    """`redis-server` without persistence; it can be stopped, paused and started again on its port."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.folder = folder
        self._password = password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "no", "--logfile", "", "--requirepass", self._password]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asked:
                    asked.sendall(b"PING\r\n")
                    if asked.recv(16).startswith((b"+PONG", b"-NOAUTH")):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError((self.folder / "redis.log").read_text())

    def stop(self) -> None:
        """At once, as a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Its connections stand, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def installed() -> bool:
    """Whether there is one on this machine."""
    return shutil.which("redis-server") is not None


@contextmanager
def redis_server(folder: Path, password: str = "") -> Iterator[RedisServer]:
    """Started, and gone at the end."""
    server = RedisServer(folder, password)
    server.start()
    try:
        yield server
    finally:
        server.stop()
