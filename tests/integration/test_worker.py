"""A child process behind pipes: what it answers, how it is stopped, and what happens when it dies or will not stop."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import pytest

from scriza.kernel.errors import DeadlineExceeded, NotFound, Unavailable, UpstreamFailed
from scriza.worker import Worker
from tests.standins.worker_entries import Did, Do, Settings

ENTRIES = "tests.standins.worker_entries"


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """Has time to stop when it is told to, however busy the machine is."""
    worker = Worker(f"{ENTRIES}:obedient", name="test", grace=30, waiting=2)
    yield worker
    await worker.close()


@pytest.fixture
async def impatient() -> AsyncIterator[Worker]:
    """For what does not stop anyway."""
    worker = Worker(f"{ENTRIES}:obedient", name="test", grace=0.2, waiting=2)
    yield worker
    await worker.close()


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return holds()


async def test_a_request_is_answered_by_a_child_process(worker: Worker) -> None:
    reply = await worker.call(Do("greet"), Did, deadline=30)
    assert reply.text == "hello 0"
    assert reply.pid not in (0, os.getpid())


async def test_settings_reach_the_entry() -> None:
    worker = Worker(f"{ENTRIES}:obedient", Settings("namaste"), name="test")
    assert (await worker.call(Do("greet"), Did, deadline=30)).text == "namaste 0"
    await worker.close()


async def test_a_stream_gives_every_reply_in_order(worker: Worker) -> None:
    replies = [reply.text async for reply in worker.stream(Do("greet", 1000), Did, deadline=30)]
    assert replies == [f"hello {number}" for number in range(1000)]


async def test_what_a_library_prints_does_not_reach_the_frames(worker: Worker) -> None:
    assert (await worker.call(Do("chatter"), Did, deadline=30)).text == "still in step"
    assert (await worker.call(Do("greet"), Did, deadline=30)).text == "hello 0"


async def test_an_error_of_ours_is_raised_on_this_side(worker: Worker) -> None:
    with pytest.raises(NotFound, match="no such voice"):
        await worker.call(Do("refuse"), Did, deadline=30)
    assert (await worker.call(Do("greet"), Did, deadline=30)).text == "hello 0"


async def test_another_error_tells_its_kind_and_not_its_words(
    worker: Worker, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UpstreamFailed, match="ValueError in a worker process") as raised:
        await worker.call(Do("stumble", 14155550123), Did, deadline=30)
    assert "1415555" not in str(raised.value)
    said = capfd.readouterr().err
    assert "worker_entries.py" in said
    assert "1415555" not in said


async def test_a_request_without_a_reply_is_a_failure_and_not_a_hang(worker: Worker) -> None:
    with pytest.raises(UpstreamFailed, match="0 answers"):
        await worker.call(Do("nothing"), Did, deadline=30)


async def test_an_answer_of_another_shape_is_a_failure(worker: Worker) -> None:
    with pytest.raises(UpstreamFailed, match="something else"):
        await worker.call(Do("greet"), int, deadline=30)
    assert (await worker.call(Do("greet"), Did, deadline=30)).text == "hello 0"


async def test_a_child_that_dies_fails_the_request_in_flight_and_the_next_one_gets_a_new_child(worker: Worker) -> None:
    first = await worker.call(Do("greet"), Did, deadline=30)
    with pytest.raises(UpstreamFailed, match="died"):
        await worker.call(Do("die"), Did, deadline=30)
    second = await worker.call(Do("greet"), Did, deadline=30)
    assert second.pid != first.pid


async def test_a_child_that_died_between_requests_is_replaced_unnoticed(worker: Worker) -> None:
    first = await worker.call(Do("greet"), Did, deadline=30)
    os.kill(first.pid, signal.SIGKILL)
    assert await asyncio.to_thread(eventually, lambda: not os.path.exists(f"/proc/{first.pid}"))
    await asyncio.sleep(0.5)  # the loop hears of it from the thread that waited for the child
    assert (await worker.call(Do("greet"), Did, deadline=30)).pid != first.pid


async def test_a_request_past_its_deadline_is_cancelled_and_the_child_lives_on(worker: Worker) -> None:
    first = await worker.call(Do("greet"), Did, deadline=30)
    with pytest.raises(DeadlineExceeded):
        async for _ in worker.stream(Do("wait"), Did, deadline=0.1):
            pass
    assert (await worker.call(Do("greet"), Did, deadline=30)).pid == first.pid


async def test_a_child_that_will_not_stop_is_killed_and_replaced(impatient: Worker) -> None:
    first = await impatient.call(Do("greet"), Did, deadline=30)
    with pytest.raises(DeadlineExceeded):
        async for _ in impatient.stream(Do("hang"), Did, deadline=0.1):
            pass
    assert (await impatient.call(Do("greet"), Did, deadline=30)).pid != first.pid
    assert not alive(first.pid)


async def test_closing_a_stream_cancels_its_request(worker: Worker) -> None:
    stream = worker.stream(Do("wait"), Did, deadline=60)
    first = await anext(stream)
    await stream.aclose()
    assert (await worker.call(Do("greet"), Did, deadline=30)).pid == first.pid


async def test_cancelling_the_task_that_asked_cancels_its_request(worker: Worker) -> None:
    first = await worker.call(Do("greet"), Did, deadline=30)
    asking = asyncio.create_task(worker.call(Do("wait"), Did, deadline=60))
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert (await worker.call(Do("greet"), Did, deadline=30)).pid == first.pid


async def test_a_request_cancelled_while_it_waits_is_never_sent(worker: Worker) -> None:
    busy = worker.stream(Do("wait"), Did, deadline=60)
    first = await anext(busy)
    waiting = asyncio.create_task(worker.call(Do("die"), Did, deadline=60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await busy.aclose()
    assert (await worker.call(Do("greet"), Did, deadline=30)).pid == first.pid


async def test_only_so_many_may_wait(worker: Worker) -> None:
    busy = worker.stream(Do("wait"), Did, deadline=60)
    await anext(busy)
    waiting = [asyncio.create_task(worker.call(Do("greet"), Did, deadline=60)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="too much to do"):
        await worker.call(Do("greet"), Did, deadline=60)
    await busy.aclose()
    assert [reply.text for reply in await asyncio.gather(*waiting)] == ["hello 0", "hello 0"]


async def test_one_who_takes_replies_slowly_holds_the_child_no_longer_than_the_deadline(worker: Worker) -> None:
    await worker.start()
    stream = worker.stream(Do("flood", 100_000), Did, deadline=3)
    await anext(stream)
    assert (await worker.call(Do("greet"), Did, deadline=30)).text == "hello 0"
    await stream.aclose()


async def test_an_entry_that_fails_says_why() -> None:
    worker = Worker(f"{ENTRIES}:broken", name="test")
    with pytest.raises(NotFound, match="the model is not there"):
        await worker.start()
    with pytest.raises(NotFound, match="the model is not there"):
        await worker.call(Do("greet"), Did, deadline=30)
    await worker.close()


async def test_a_child_that_cannot_be_started_fails_all_who_wait_and_the_next_try_may_succeed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as machine:
        machine.setattr(sys, "executable", "/nowhere/python")
        asked = [asyncio.create_task(worker.call(Do("greet"), Did, deadline=30)) for _ in range(2)]
        for asking in asked:
            with pytest.raises(Unavailable, match="does not start"):
                await asking
    assert (await worker.call(Do("greet"), Did, deadline=30)).text == "hello 0"


@pytest.mark.parametrize("entry", ["slow", "ends_at_once"])
async def test_an_entry_that_never_loads_makes_the_worker_unavailable(entry: str) -> None:
    worker = Worker(f"{ENTRIES}:{entry}", name="test", start_deadline=0.5)
    with pytest.raises(Unavailable, match="does not start"):
        await worker.start()
    await worker.close()


async def test_closing_ends_the_child_and_fails_everyone_who_waits(impatient: Worker) -> None:
    busy = impatient.stream(Do("hang"), Did, deadline=60)
    pid = (await anext(busy)).pid
    waiting = asyncio.create_task(impatient.call(Do("greet"), Did, deadline=60))
    await asyncio.sleep(0)
    await impatient.close()
    with pytest.raises(Unavailable, match="closed"):
        await anext(busy)
    with pytest.raises(Unavailable, match="closed"):
        await waiting
    with pytest.raises(Unavailable, match="closed"):
        await impatient.call(Do("greet"), Did, deadline=30)
    assert not alive(pid)


PARENT = f"""
import asyncio, structlog, sys
from scriza.worker import Worker
from tests.standins.worker_entries import Did, Do
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
async def main():
    worker = Worker("{ENTRIES}:obedient", name="test")
    async for reply in worker.stream(Do(sys.argv[1]), Did, deadline=60):
        print(reply.pid, flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("act", ["wait", "hang"])
def test_a_child_dies_with_its_parent(act: str) -> None:
    command = [sys.executable, "-c", PARENT, act]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert eventually(lambda: not alive(pid))


def test_a_child_is_in_a_session_of_its_own_where_ctrl_c_does_not_reach_it() -> None:
    command = [sys.executable, "-c", PARENT, "hang"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert os.getsid(pid) != os.getsid(parent.pid)
        parent.kill()
