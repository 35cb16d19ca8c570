"""The embedded store: one database server that all Scriza processes of a data directory share.

Everything lies in ``<data_dir>/store``. Three locked files (flock) say who lives, and the kernel unlocks them whenever
a process ends, in whatever way, so nothing can be stale and no process id is ever trusted:

- ``guard.lock`` is held while somebody starts or stops the server;
- ``users.lock`` is held, shared, by every process that uses the server: who can have it alone is the last one;
- ``server.lock`` is held by the server itself, which inherits it open: who can have it knows that the server is dead.

``server.json`` holds the engine, port and process id; the shell that becomes the server writes it, so that it is there
even when Scriza dies in that very moment. It is believed only while ``server.lock`` is held: a process id that was
given to another program since is never touched. The server has its own session, so a terminal's Ctrl-C does not reach
it before Scriza has stopped.
"""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import structlog
from pymongo.errors import PyMongoError

from scriza.kernel.errors import Unavailable
from scriza_adapters.mongo.engines import Engine, choose, installed_engines

_log = structlog.get_logger()

_PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections, so that the port is still free after a restart."""
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH")
"""The environment variables that the server sees: none that holds a secret of ours."""
_BECOME_SERVER = (
    'printf \'{"engine": "%s", "port": %s, "pid": %s}\\n\' "$2" "$3" "$$" > "$1.new" && mv "$1.new" "$1" '
    '&& shift 3 && exec "$@"'
)
_LOG_LIMIT = 5_000_000
_POLL = 0.02
_SIGNAL_AGAIN = 1.0


class ServerFile(msgspec.Struct, frozen=True):
    """What ``server.json`` says. It stays when the server has stopped, for its engine and its port.

    `pid` is 0 while the server's process is being made.
    """

    engine: str
    port: int
    pid: int


class Attachment(msgspec.Struct, frozen=True):
    """A server that is ready. `alone` says that no other process uses it: whatever is open in it is a leftover."""

    url: str
    alone: bool


class EmbeddedServer:
    """The server of one data directory, as one process sees it. All methods block; `alive` does not wait.

    `engines` are the database programs to choose from (default: those installed), `minimum_free` the bytes that must be
    free on the disk before the server is started; times are in seconds. Errors are Unavailable, with a sentence that
    says what to do.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        engines: Sequence[Engine] | None = None,
        start_timeout: float = 60.0,
        stop_timeout: float = 20.0,
        minimum_free: int = 64 << 20,
    ) -> None:
        self._home = data_dir.resolve() / "store"
        self._engines = engines
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._minimum_free = minimum_free
        self._users: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._abandoned = threading.Event()

    def attach(self) -> Attachment:
        """Use the server that runs, or start it."""
        with self._writable(), self._guard():
            users = self._open("users.lock")
            try:
                alone = _locked(users, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_SH)
                server = self._find(alone=alone) or self._launch(may_move=alone)
            except BaseException:
                os.close(users)
                raise
            self._users = users
        return Attachment(self._engine(server.engine).url(server.port), alone)

    def detach(self) -> None:
        """Stop using the server; the last process to do so stops it. Never raises for a server that is gone."""
        if self._users is None:
            return
        try:
            with self._guard(may_abandon=False):
                if _locked(self._users, fcntl.LOCK_EX) and self.alive():
                    self._stop()
        except Unavailable as error:
            _log.warning("store.left_running", reason=error.detail)
        except OSError as error:  # the directory is gone, so nobody else can find the server
            _log.warning("store.directory_lost", reason=error.strerror)
            if self._child is not None:
                self._child.kill()
                self._child.wait()
        finally:
            os.close(self._users)
            self._users = None

    def alive(self) -> bool:
        """Whether the server's process lives. Reaps it when it was ours and is dead."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        try:
            lock = self._open("server.lock")
        except FileNotFoundError:  # there is no such directory, or not any more
            return False
        try:
            return not _locked(lock, fcntl.LOCK_SH)
        finally:
            os.close(lock)

    def revive(self) -> None:
        """Start the server again on its port, if nobody else has done so already."""
        with self._writable(), self._guard():
            if self.alive():
                return
            server = self._launch(may_move=False)
            _log.warning("store.recovered", engine=server.engine, pid=server.pid, restarted=True)

    def abandon(self) -> None:
        """Make a start that another thread waits for give up."""
        self._abandoned.set()

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield
        except OSError as error:
            raise Unavailable(
                f"the data directory {self._home.parent} cannot be written ({error.strerror}): "
                "make it writable, or set SCRIZA_DATA_DIR to another one"
            ) from error

    def _open(self, name: str) -> int:
        return os.open(self._home / name, os.O_RDWR | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def _guard(self, *, may_abandon: bool = True) -> Iterator[None]:
        deadline = time.monotonic() + self._start_timeout + self._stop_timeout
        guard = self._open("guard.lock")
        try:
            while not _locked(guard, fcntl.LOCK_EX):
                self._wait(deadline, "another Scriza process is still starting or stopping the store", may_abandon)
            yield
        finally:
            os.close(guard)

    def _wait(self, deadline: float, otherwise: str, may_abandon: bool = True) -> None:
        if time.monotonic() > deadline:
            raise Unavailable(otherwise)
        if may_abandon and self._abandoned.is_set():
            raise Unavailable("the start of the store was given up")
        time.sleep(_POLL)

    def _known(self) -> ServerFile | None:
        try:
            return msgspec.json.decode((self._home / "server.json").read_bytes(), type=ServerFile)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _engine(self, made_by: str) -> Engine:
        return choose(installed_engines() if self._engines is None else self._engines, made_by)

    def _find(self, *, alone: bool) -> ServerFile | None:
        """The server that runs already, or none; one that does not answer is ended when nobody else uses it."""
        if not self.alive():
            return None
        try:
            server = self._await_ready()
        except Unavailable:
            if not alone or self._abandoned.is_set():
                raise
            self._kill()
            return None
        _log.info("store.recovered" if alone else "store.attached", engine=server.engine, pid=server.pid)
        return server

    def _launch(self, *, may_move: bool) -> ServerFile:
        """Start the server; on another port, if its own is taken and nobody else is using it."""
        known = self._known()
        engine = self._engine(known.engine if known else "")
        self._check_space()
        deadline = time.monotonic() + self._start_timeout
        port = known.port if known else _free_port()
        for _ in range(5):
            if not _is_free(port):
                if not may_move:
                    raise Unavailable(f"port {port}, on which the store ran, is taken by another program: end that one")
                port = _free_port()
            self._spawn(engine, port)
            try:
                server = self._await_ready(deadline)
            except Unavailable:
                if self.alive() or _is_free(port) or not may_move:
                    self._kill()
                    raise
            else:
                _log.info("store.started", engine=server.engine, pid=server.pid, port=server.port)
                return server
        raise Unavailable("no free port for the store was found on 127.0.0.1; end a program that occupies many")

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._home).free
        if free < self._minimum_free:
            raise Unavailable(
                f"only {free >> 20} MB are free on the disk of {self._home.parent}, and the store needs "
                f"{self._minimum_free >> 20} MB to start: free some, or set SCRIZA_DATA_DIR to another disk"
            )

    def _spawn(self, engine: Engine, port: int) -> None:
        directory = self._home / engine.name
        directory.mkdir(exist_ok=True, mode=0o700)
        lock = self._open("server.lock")
        output = self._open_log()
        try:
            deadline = time.monotonic() + 1
            while not _locked(lock, fcntl.LOCK_EX):
                self._wait(deadline, "the store's lock is held by an unknown process")
            self._note(ServerFile(engine.name, port, pid=0))
            command = [str(self._home / "server.json"), engine.name, str(port), *engine.command(directory, port)]
            self._child = subprocess.Popen(  # noqa: S603 - every word of the command is our own
                ["/bin/sh", "-c", _BECOME_SERVER, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                pass_fds=(lock,),
                start_new_session=True,
            )
        finally:
            os.close(lock)
            os.close(output)

    def _note(self, server: ServerFile) -> None:
        """Replace ``server.json``, so that nobody takes an old one for the new server's."""
        new = self._home / "server.json.new"
        new.write_bytes(msgspec.json.encode(server))
        new.replace(self._home / "server.json")

    def _open_log(self) -> int:
        path = self._home / "server.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _await_ready(self, deadline: float | None = None) -> ServerFile:
        """Wait until the running server answers. The file is read anew each time: it may just be being written."""
        deadline = deadline or time.monotonic() + self._start_timeout
        while self.alive():
            server = self._known()
            if server is not None and server.pid and _answers(server.port):
                try:
                    self._engine(server.engine).make_ready(server.port, deadline)
                except PyMongoError as error:
                    raise Unavailable(f"the store's server refused to get ready: {error}") from error
                return server
            self._wait(deadline, f"the store did not start in {self._start_timeout:.0f} s; see {self._home}/server.log")
        raise Unavailable(f"the store's server ended while starting: {self._last_words()}; see {self._home}/server.log")

    def _last_words(self) -> str:
        lines = (self._home / "server.log").read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"

    def _stop(self) -> None:
        """Ask the server to end, and at last make it.

        A Python server waits for its next connection before it sees that it is to end, so it gets some; and when
        another of its threads took the signal, its main thread sleeps on, so one that goes on answering is told again.
        """
        server = self._known()
        if server is None or not self._signal(server.pid, signal.SIGTERM):
            _log.warning("store.left_running", reason="server.json does not tell its process")
            return
        deadline = time.monotonic() + self._stop_timeout
        again = time.monotonic() + _SIGNAL_AGAIN
        while self.alive():
            time.sleep(_POLL)
            if time.monotonic() > deadline:
                self._kill()
            elif _answers(server.port) and time.monotonic() > again:
                self._signal(server.pid, signal.SIGTERM)
                again += _SIGNAL_AGAIN
        _log.info("store.stopped", engine=server.engine, pid=server.pid)

    def _kill(self) -> None:
        server = self._known()
        pid = self._child.pid if self._child else server.pid if server else 0
        while self.alive():
            _log.warning("store.killed", pid=pid)
            if not self._signal(pid, signal.SIGKILL):
                raise Unavailable(
                    f"the store's server hangs and cannot be found: end the process that uses {self._home}"
                )
            time.sleep(_POLL)

    def _signal(self, pid: int, number: signal.Signals) -> bool:
        """Signal the server; False when the process of this id is another program."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            command = b""  # gone, or a system without /proc: server.lock has told that the server lives
        if pid <= 1 or (command and os.fsencode(self._home) not in command):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True


def _locked(descriptor: int, how: int) -> bool:
    """Take the lock if it is free now."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    for port in random.sample(_PORTS, 50):
        if _is_free(port):
            return port
    raise Unavailable("no free port for the store was found on 127.0.0.1; end a program that occupies many")
