"""The embedded store's process: shared, found again, stopped by the last one, and never taken for another program."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from scriza.kernel.errors import Unavailable
from scriza_adapters.mongo.embedded import EmbeddedServer, ServerFile
from scriza_adapters.mongo.engines import Secantus, choose
from scriza_adapters.mongo.supervision import running
from tests.standins.database_program import DIES, HANGS, HANGS_LATER, IGNORES_SIGTERM, LISTENS, Program
from tests.waiting import eventually

Make = Callable[..., EmbeddedServer]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes servers of one data directory, as several processes would, and leaves none of them running."""
    made: list[EmbeddedServer] = []

    def server(
        script: str = LISTENS, start_timeout: float = 10, stop_timeout: float = 10, minimum_free: int = 0
    ) -> EmbeddedServer:
        made.append(
            EmbeddedServer(
                tmp_path / "data",
                engines=[Program(script)],
                start_timeout=start_timeout,
                stop_timeout=stop_timeout,
                minimum_free=minimum_free,
            )
        )
        return made[-1]

    yield server
    for one in made:
        one.detach()


def told(tmp_path: Path) -> ServerFile:
    return msgspec.json.decode((tmp_path / "data/store/server.json").read_bytes(), type=ServerFile)


def attach_and_be_killed(server: EmbeddedServer) -> None:
    """What a process leaves behind that is killed while it uses the server."""
    process = os.fork()
    if process == 0:
        try:
            server.attach()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_who_comes_second_uses_the_server_of_the_first_and_the_last_one_stops_it(make: Make, tmp_path: Path) -> None:
    first, second = make(), make()
    started = first.attach()
    pid = told(tmp_path).pid
    attached = second.attach()
    assert (started.alone, attached.alone) == (True, False)
    assert started.url == attached.url
    assert told(tmp_path).pid == pid
    first.detach()
    assert second.alive()
    second.detach()
    assert not second.alive()


def test_a_server_that_nobody_uses_any_more_is_found_again(make: Make, tmp_path: Path) -> None:
    attach_and_be_killed(make())
    pid = told(tmp_path).pid
    found = make().attach()
    assert found.alone
    assert told(tmp_path).pid == pid


def test_a_dead_server_is_started_again_on_its_port_by_anybody(make: Make, tmp_path: Path) -> None:
    first, second = make(), make()
    first.attach()
    second.attach()
    before = told(tmp_path)
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not first.alive())
    second.revive()
    first.revive()
    after = told(tmp_path)
    assert after.port == before.port
    assert after.pid != before.pid
    assert first.alive()


def test_the_next_start_takes_the_same_port_or_another_when_that_is_taken(make: Make, tmp_path: Path) -> None:
    server = make()
    server.attach()
    port = told(tmp_path).port
    server.detach()
    server.attach()
    assert told(tmp_path).port == port
    server.detach()
    with socket.create_server(("127.0.0.1", port)):
        server.attach()
        assert told(tmp_path).port != port


def test_while_others_use_it_a_dead_servers_port_is_waited_for(make: Make, tmp_path: Path) -> None:
    server, other = make(), make()
    server.attach()
    other.attach()
    os.kill(told(tmp_path).pid, signal.SIGKILL)
    until(lambda: not server.alive())
    with socket.create_server(("127.0.0.1", told(tmp_path).port)), pytest.raises(Unavailable, match=r"port .* taken"):
        server.revive()
    server.revive()
    assert server.alive()


def test_a_process_that_got_the_dead_servers_id_is_left_alone(make: Make, tmp_path: Path) -> None:
    server = make()
    server.attach()
    dead = told(tmp_path)
    os.kill(dead.pid, signal.SIGKILL)
    until(lambda: not server.alive())
    with subprocess.Popen([sys.executable, "-S", "-c", HANGS]) as innocent:
        path = tmp_path / "data/store/server.json"
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(dead, pid=innocent.pid)))
        server.detach()
        server.attach()
        living = told(tmp_path)
        assert living.pid != innocent.pid
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(living, pid=innocent.pid)))
        server.detach()
        assert innocent.poll() is None
        innocent.kill()
    os.kill(living.pid, signal.SIGKILL)


def test_the_server_has_its_own_session_and_sees_no_secret(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    make().attach()
    pid = told(tmp_path).pid
    assert os.getsid(pid) == pid
    assert b"very-secret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_server_that_ignores_the_request_to_end_is_ended(make: Make, tmp_path: Path) -> None:
    server = make(IGNORES_SIGTERM, stop_timeout=0.3)
    server.attach()
    server.detach()
    assert not server.alive()


def test_a_server_that_hangs_and_that_nobody_uses_is_replaced(make: Make, tmp_path: Path) -> None:
    attach_and_be_killed(make(HANGS_LATER))
    hanging = told(tmp_path)
    os.kill(hanging.pid, signal.SIGUSR1)
    until(lambda: refused(hanging.port))
    server = make(start_timeout=3)
    server.attach()
    assert server.alive()
    assert told(tmp_path).pid != hanging.pid


def test_no_engine_installed_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"scriza\[embedded\].*SCRIZA_MONGO_URL"):
        EmbeddedServer(tmp_path, engines=[]).attach()


def test_a_directory_made_by_an_engine_that_is_gone_is_said_and_not_begun_anew() -> None:
    with pytest.raises(Unavailable, match="made by mongod, which is not installed"):
        choose([Secantus()], "mongod")
    assert choose([Program(), Secantus()], "secantus") == Secantus()
    assert choose([Program(), Secantus()], "") == Program()


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    with pytest.raises(Unavailable, match=r"cannot be written.*SCRIZA_DATA_DIR"):
        EmbeddedServer(tmp_path / "data", engines=[Program()]).attach()


def test_a_full_disk_is_said_before_anything_is_written(make: Make) -> None:
    server = make(minimum_free=1 << 60)
    with pytest.raises(Unavailable, match=r"only \d+ MB are free"):
        server.attach()
    assert not server.alive()


def test_a_server_that_never_answers_is_given_up_after_the_deadline(make: Make) -> None:
    server = make(HANGS, start_timeout=0.3)
    with pytest.raises(Unavailable, match="did not start in"):
        server.attach()
    assert not server.alive()


def test_a_server_that_ends_while_starting_is_quoted(make: Make) -> None:
    with pytest.raises(Unavailable, match="the data files are damaged"):
        make(DIES).attach()


def test_a_relative_directory_with_a_long_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server = EmbeddedServer(Path("d" * 120, "e" * 120), engines=[Program()])
    server.attach()
    monkeypatch.chdir("/")
    assert server.alive()
    server.detach()
    assert not server.alive()


def test_a_directory_is_the_same_by_whatever_path_it_is_reached(make: Make, tmp_path: Path) -> None:
    first = make()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    second = EmbeddedServer(tmp_path / "link", engines=[Program()])
    assert first.attach().url == second.attach().url
    first.detach()
    second.detach()
    assert not second.alive()


def test_a_server_whose_directory_was_removed_is_ended_with_its_process(make: Make, tmp_path: Path) -> None:
    server = make()
    server.attach()
    pid = told(tmp_path).pid
    shutil.rmtree(tmp_path / "data")
    server.detach()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_server_that_dies_is_started_again_by_the_process_that_watches_it(make: Make, tmp_path: Path) -> None:
    server = make()
    async with running(server):
        before = told(tmp_path).pid
        os.kill(before, signal.SIGKILL)
        await eventually(lambda: told(tmp_path).pid != before and server.alive())
    assert not server.alive()


async def test_whatever_keeps_the_watch_from_its_work_it_tries_again(make: Make, tmp_path: Path) -> None:
    class OutOfThreads(EmbeddedServer):
        attempts = 0

        def revive(self) -> None:
            self.attempts += 1
            if self.attempts == 1:
                raise RuntimeError("can't start new thread")
            super().revive()

    server = OutOfThreads(tmp_path / "data", engines=[Program()], minimum_free=0)
    async with running(server):
        os.kill(told(tmp_path).pid, signal.SIGKILL)
        await eventually(lambda: server.attempts == 2 and server.alive())
    assert not server.alive()


async def test_a_start_that_is_cancelled_leaves_no_server_behind(make: Make) -> None:
    server = make(HANGS)

    async def use() -> None:
        async with running(server):
            raise AssertionError("it never starts")

    task = asyncio.create_task(use())
    await eventually(server.alive)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not server.alive()


async def test_who_is_cancelled_while_the_watch_ends_is_told(make: Make) -> None:
    server, inside, leave = make(), asyncio.Event(), asyncio.Event()

    async def use() -> None:
        async with running(server):
            inside.set()
            await leave.wait()

    task = asyncio.create_task(use())
    await inside.wait()
    await asyncio.sleep(0)  # the watch has begun
    leave.set()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not server.alive()
