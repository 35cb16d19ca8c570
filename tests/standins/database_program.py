"""Programs that stand in for a database server: they listen, or fail in the ways that servers fail."""

import sys
from pathlib import Path

import msgspec

LISTENS = """
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
while True:
    server.accept()[0].close()
"""
DIES = "print('starting', flush=True); raise SystemExit('the data files are damaged')"
HANGS = "import time; time.sleep(1000)"
HANGS_LATER = LISTENS.replace(
    "server =", "signal.signal(signal.SIGUSR1, lambda *_: server.close() or signal.pause())\nserver ="
)
IGNORES_SIGTERM = LISTENS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")


class Program(msgspec.Struct, frozen=True):
    """Implements Engine by a few lines of Python."""

    script: str = LISTENS
    name: str = "standin"

    def command(self, directory: Path, port: int) -> list[str]:
        return [sys.executable, "-S", "-c", self.script, str(directory), str(port)]

    def url(self, port: int) -> str:
        return f"mongodb://127.0.0.1:{port}/"

    def make_ready(self, port: int, deadline: float) -> None:
        """It is ready when it listens."""
