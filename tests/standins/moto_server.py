"""S3 as moto plays it: a real server process on loopback. It checks no signatures."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "very-secret"}


@contextmanager
def moto_server() -> Iterator[str]:
    """Its endpoint, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
        try:
            for _ in range(300):
                try:
                    httpx.get(f"{endpoint}/moto-api/", timeout=5, trust_env=False)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield endpoint
        finally:
            server.terminate()
            server.wait(10)


def make_bucket(endpoint: str, name: str) -> str:
    """The URL of a new bucket, as SCRIZA_OBJECTS_URL takes it."""
    httpx.put(f"{endpoint}/{name}", timeout=5, trust_env=False).raise_for_status()
    return f"s3://{name}?endpoint={endpoint}&region=us-east-1"
