"""`emulate`, an independent stand-in for Twilio's REST API and webhooks (npm, Apache-2.0), as a process.

`make system` installs it into tests/oracles where npm is. What it lacks: it plays no TwiML and has no media streams, no
recordings and no fallback URL of a number; no call is ever answered, and one that is over can still be changed; it
ignores unknown parameters and filters by time; and it signs a status callback over its URL with the fragment, which is
never sent.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.serving import listening_socket

ORACLES = Path(__file__).parents[1] / "oracles" / "node_modules"
MISSING = "needs the npm package `emulate`: install npm (apt-get install npm), then `make system` brings it"
ACCOUNT = "AC" + "0" * 32
TOKEN = "twilio_test_auth_token"
NUMBER = "+15551234567"
_START_SECONDS = 60.0


def is_installed() -> bool:
    """Whether `make system` has brought it."""
    return (ORACLES / ".installed").exists()


@contextmanager
def running_emulate(folder: Path) -> Iterator[str]:
    """Started; yields its base URL. Its output goes to a file in `folder`."""
    with listening_socket() as sock:
        port = sock.getsockname()[1]
    output = folder / "emulate.txt"
    command = [ORACLES / ".bin" / "node", ORACLES / "emulate" / "dist" / "index.js"]
    with output.open("w") as file:
        process = subprocess.Popen(
            [*command, "start", "--service", "twilio", "--port", str(port)],
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while "Ready" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
