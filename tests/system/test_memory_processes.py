"""A process that is killed after a call has ended, and before what comes after it is done: another one does it."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from scriza.modules.memory.documents import MEMORY_DOCUMENTS
from scriza.ports.memory import Recall
from scriza_adapters.mongo.store import StoreOptions, open_store
from tests.memory_calls import NUMBER, Rememberer
from tests.standins.store_process import QUICK

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


async def killed_at(moment: str, data_dir: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.standins.memory_process", moment, str(data_dir)),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while (line := await process.stdout.readline()).decode().strip() != moment:
            assert line, "it ended too early"
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize(("moment", "lease"), [("told", timedelta()), ("judged", timedelta(seconds=91))])
async def test_what_comes_after_a_call_is_done_although_its_process_was_killed(
    tmp_path: Path, moment: str, lease: timedelta
) -> None:
    await killed_at(moment, tmp_path)
    async with open_store(StoreOptions(tmp_path, bus=QUICK), MEMORY_DOCUMENTS) as store:
        here = Rememberer(store)
        before = await here.memory.call("CA1")
        assert (before.state, len(before.turns)) == ("complete", 7)
        here.now += lease
        assert await here.post_call.work()
        after = await here.memory.call("CA1")
        known = await here.memory.recall(Recall(NUMBER))
        assert not await here.post_call.work()
    assert (after.state, [field.name for field in after.fields]) == ("worked", ["name", "rooms", "demo_day"])
    assert (known.calls, known.last_outcome, len(known.known)) == (1, "demo_booked", 4)
