"""A strict stand-in for Vault's API: log-in by AppRole, and version 2 of the KV store, as its documentation has them.

It can be sealed, and counts what it is asked.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ROLE_ID, SECRET_ID, TOKEN = "role-of-scriza", "secret-of-the-role", "hvs.token-of-the-test"


@dataclass
class VaultServer:
    """What it holds, by mount and path, and what it was asked."""

    url: str = ""
    secrets: dict[str, dict[str, object]] = field(default_factory=dict)
    sealed: bool = False
    asked: list[str] = field(default_factory=list)


@contextmanager
def vault() -> Iterator[VaultServer]:
    """It answers on loopback."""
    told = VaultServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = json.loads(self.rfile.read(length))
            told.asked.append(self.path)
            if told.sealed:
                self._answer(503, {"errors": ["Vault is sealed"]})
            elif self.path == "/v1/auth/approle/login" and body == {"role_id": ROLE_ID, "secret_id": SECRET_ID}:
                self._answer(200, {"auth": {"client_token": TOKEN, "lease_duration": 1200, "renewable": True}})
            else:
                self._answer(400, {"errors": ["invalid role or secret ID"]})

        def do_GET(self) -> None:
            asked = urlsplit(self.path).path
            told.asked.append(asked)
            mount, _, path = asked.removeprefix("/v1/").partition("/data/")
            if told.sealed:
                self._answer(503, {"errors": ["Vault is sealed"]})
            elif self.headers["x-vault-token"] != TOKEN:
                self._answer(403, {"errors": ["permission denied"]})
            elif (data := told.secrets.get(f"{mount}/{path}")) is None:
                self._answer(404, {"errors": []})
            else:
                self._answer(200, {"data": {"data": data, "metadata": {"version": 1, "destroyed": False}}})

        def _answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
