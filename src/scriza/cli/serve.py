"""``scriza serve``: answer calls until stopped."""

import argparse
import asyncio
import contextlib
import errno
import http.client
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import uvicorn

from scriza import __version__, data_dir, logs
from scriza.cli import CANNOT
from scriza.draining import before_stopping
from scriza.kernel.redaction import Redactor
from scriza.settings import BadSettings, Settings, load, secret_values, written

if TYPE_CHECKING:  # it takes long to import
    from litestar import Litestar

_KEEP_ALIVE_SECONDS = 130
"""Longer than our own clients keep an idle connection, so that none is closed under a request."""
_PING_SECONDS = 10
"""A socket whose other side answers no ping for so long is broken off, and what waits on it with it."""
_SOCKET_MESSAGE_BYTES = 64 * 1024
_POLL_SECONDS = 0.1
_PROBE_SECONDS = 1
_BACKLOG = 2048


def run(told: argparse.Namespace) -> int:
    """Serve; returns 0 after a stop that was asked for."""
    # A shell's background jobs are started deaf to SIGINT, and Python then leaves it, and what follows it, ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked = {"host": told.host, "port": told.port, "modules": told.modules, "workers": told.workers}
    settings = written(**asked)
    inherits = told.fd is not None
    listener = socket.socket(fileno=told.fd) if inherits else _listen(settings.host, settings.port)
    listener.set_inheritable(False)  # an engine's process that outlives us for a moment is not to hold the port
    settings = load(**asked | {"port": listener.getsockname()[1]})
    if not inherits:
        modules = settings.modules.replace(",", ", ") or "all modules"
        print(f"Scriza {__version__} is starting at {settings.public_url} ({modules})", flush=True)

    # What takes long to import comes after the first line.
    import uvloop

    secrets = data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir))
    redactor = Redactor([*secret_values(settings), *secrets.values()], key=secrets.pseudonym_key)
    logs.configure(settings.log, settings.log_level, redacted=redactor)
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tell = partial(_tell, settings, listener, sample_call=told.sample_call)
        if settings.workers > 1 and not inherits:
            return runner.run(_serve_by_several(settings, listener, tell))
        runner.run(_serve(settings, listener, None if inherits else tell))
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens at the address. Raises BadSettings with what to do about it.

    It listens before anybody serves it, so that of two that start at once on a port the second is told, and so that
    who calls while a killed Scriza is started again is kept waiting and not turned away.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise BadSettings(f"there is no address {host}: choose another with --host or SCRIZA_HOST") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        ways = "with --port or SCRIZA_PORT"
        reasons = {
            errno.EADDRINUSE: f"port {port} is in use: stop what listens there, or choose another {ways}",
            errno.EACCES: f"port {port} takes more rights than this user has: choose one above 1023 {ways}",
            errno.EADDRNOTAVAIL: f"this machine has no address {host}: choose another with --host or SCRIZA_HOST",
        }
        raise BadSettings(reasons.get(error.errno or 0, f"{host}:{port} cannot be listened on: {error}")) from error
    return listener


class _Server(uvicorn.Server):
    """Stops on a signal and leaves it at that, so that what was opened around it is closed in peace."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {sign: signal.signal(sign, self.handle_exit) for sign in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _config(app: "Litestar", settings: Settings) -> uvicorn.Config:
    from scriza.cli.bounded_http import BoundedHttp

    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=_SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


_Tell = Callable[[], Coroutine[None, None, None]]


async def _serve(settings: Settings, listener: socket.socket, tell: _Tell | None) -> None:
    """Serve until stopped. A process of several has nothing to `tell`, and stops with its parent."""
    # A polite kill ends the start-up as Ctrl-C does: what was opened is closed again.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    from scriza.app import application, container_of, drain, settled

    container = container_of(settings)
    app = application(container, around=[settled])
    async with app.lifespan():
        server = _Server(_config(app, settings))
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve([listener]))
            await server.ready.wait()
            beside = tasks.create_task(tell() if tell else _stop_with_parent(server))
            with before_stopping(partial(drain, container)):
                await serving
            beside.cancel()
        if tell:
            print("Stopping", flush=True)


async def _stop_with_parent(server: _Server) -> None:
    """Stop, and wait for no call, when the process is dead that keeps our standard input open: its heir wants the port.

    The calls go on there.
    """
    loop, dead = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), dead.set)
    try:
        await dead.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    server.should_exit = True


async def _serve_by_several(settings: Settings, listener: socket.socket, tell: _Tell) -> int:
    from scriza.cli.workers import serve_by_several

    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(tell())
        served = await serve_by_several(settings, listener)
        telling.cancel()
    return 0 if served else CANNOT


_WHAT_NEXT = (
    ("{scriza} call barge-in", "another simulated call; `call --list` names them all"),
    ("{scriza} models fetch base.en", "a real recogniser, for callers who speak freely"),
    ("export OPENAI_API_KEY=...", "a real language model; ELEVENLABS_API_KEY=... is a better voice"),
    ("docs/settings.md", "everything that can be set"),
)


async def _tell(settings: Settings, listener: socket.socket, *, sample_call: bool) -> None:
    """Say when calls are answered; place the sample call if asked to, from a process of its own."""
    here = _address(listener)
    while not await asyncio.to_thread(_is_ready, here):  # noqa: ASYNC110 - what is waited for may be another process
        await asyncio.sleep(_POLL_SECONDS)
    print(f"Ready: {settings.public_url} (stop with Ctrl-C)", flush=True)
    if sample_call:
        with logs.quiet():
            await _sample_call(f"http://{here}")
        print(f"\nScriza goes on serving at {settings.public_url} (its API: /schema). What next:")
        for what, brings in _WHAT_NEXT:
            print(f"  {what.format(scriza=_command()):<38} {brings}")
        print("Stop with Ctrl-C.", flush=True)


def _command() -> str:
    """How this program can be called from here."""
    return "scriza" if shutil.which("scriza") else os.path.relpath(sys.argv[0])


async def _sample_call(url: str) -> None:
    """From a process of its own, as callers are."""
    caller = await asyncio.create_subprocess_exec(sys.executable, "-m", "scriza", "call", "--to", url)
    try:
        await caller.wait()
    finally:
        if caller.returncode is None:
            caller.terminate()
            await caller.wait()


def _is_ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _address(listener: socket.socket) -> str:
    """Host and port at which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - names, not a choice
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
