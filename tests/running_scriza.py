"""A Scriza of its own for a test: a real process, started by the command line, with its own data directory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 45.0


class RunningScriza:
    """`scriza serve` with its output so far."""

    def __init__(self, folder: Path, arguments: Sequence[str] = (), **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._log = folder / f"output-{len(list(folder.glob('output-*')))}.txt"
        variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "SCRIZA_DATA_DIR": str(folder / "data")}
        with self._log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scriza", "serve", "--port", "0", *arguments],
                cwd=folder,
                env=variables | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def token(self) -> str:
        return (self.folder / "data" / "secrets" / "service-token").read_text()

    def wait_for(self, text: str, seconds: float = START_SECONDS) -> str:
        """The rest of the first line that begins with `text`. Raises AssertionError when it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.output.splitlines():
                if line.startswith(text):
                    return line.removeprefix(text)
            assert self.process.poll() is None, self.output
            time.sleep(0.05)
        raise AssertionError(f"no line {text!r} in: {self.output}")

    def wait_until(self, condition: Callable[[], bool], seconds: float = STOP_SECONDS) -> None:
        """Raises AssertionError when it does not become true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    @property
    def url(self) -> str:
        """Where it answers, once it does."""
        return self.wait_for("Ready: ").split()[0]

    def stop(self, sign: signal.Signals = signal.SIGINT) -> int:
        """As Ctrl-C does, which reaches the process alone; returns the exit code."""
        self.process.send_signal(sign)
        return self.process.wait(STOP_SECONDS)

    def leftovers(self) -> list[str]:
        """Command lines of processes that this Scriza has started and that still run."""
        return list(self.children().values())

    def children(self, name: str = "") -> dict[int, str]:
        """The processes that this Scriza has started and in whose command lines `name` is, by their ids."""
        mine = f"HOME={self.folder}\0".encode()
        found = {}
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit() and int(directory.name) != self.process.pid:
                try:
                    command = (directory / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
                    ours = mine in (directory / "environ").read_bytes()
                except OSError:
                    continue
                if ours and name in command:
                    found[int(directory.name)] = command
        return found


@contextmanager
def running_scriza(folder: Path, arguments: Sequence[str] = (), **environment: str) -> Iterator[RunningScriza]:
    """Started, not yet ready; it is stopped at the end, and killed when that takes too long."""
    scriza = RunningScriza(folder, arguments, **environment)
    try:
        yield scriza
    finally:
        if scriza.process.poll() is None:
            try:
                scriza.stop()
            except subprocess.TimeoutExpired:
                os.killpg(scriza.process.pid, signal.SIGKILL)
                scriza.process.wait()
