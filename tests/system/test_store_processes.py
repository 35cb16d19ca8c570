"""The store and the bus when processes are killed: what was acknowledged is there, what was told is counted once."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from scriza.kernel.errors import ScrizaError
from scriza.kernel.events import Event, Topic
from scriza.modules.telephony.call_log import NewCall
from scriza.modules.telephony.documents import DOCUMENTS
from scriza.modules.telephony.stored_log import MongoCallLog
from scriza_adapters.mongo.embedded import ServerFile
from scriza_adapters.mongo.store import MongoStore, StoreOptions, Unit, open_store
from tests.databases import drop
from tests.standins.store_process import QUICK, START, USAGE, told
from tests.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


class Process:
    """One that runs an act of `store_process`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdout is not None
        assert process.stdin is not None
        self._output, self._input = process.stdout, process.stdin
        self.said: list[str] = []

    async def until_it_says(self, word: str) -> str:
        async with asyncio.timeout(60):
            while True:
                line = (await self._output.readline()).decode()
                assert line, f"it ended without saying {word!r}: {self.said}"
                self.said.append(line.strip())
                if line.startswith(word):
                    return line.strip()

    async def rest(self) -> None:
        self.said += (await self._output.read()).decode().splitlines()

    def tell(self) -> None:
        self._input.write(b"go\n")

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Its whole group, as a terminal does with Ctrl-C."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, how)
        await self.rest()
        async with asyncio.timeout(30):
            await self._process.wait()


@contextlib.asynccontextmanager
async def running(act: str, *arguments: object) -> AsyncIterator[Process]:
    process = Process(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.standins.store_process",
            act,
            *map(str, arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        yield process
    finally:
        await process.kill()


def server(data_dir: Path) -> ServerFile:
    return msgspec.json.decode((data_dir / "store/server.json").read_bytes(), type=ServerFile)


def lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


async def test_the_server_of_a_killed_process_is_found_again_with_all_that_was_kept(tmp_path: Path) -> None:
    async with running("holds_a_transaction", tmp_path) as killed:
        await killed.until_it_says("in the middle")
        before = server(tmp_path)
        await killed.kill()
    assert lives(before.pid)
    async with open_store(StoreOptions(data_dir=tmp_path), DOCUMENTS) as store:
        assert server(tmp_path).pid == before.pid
        things = store.database["things"]
        async with asyncio.timeout(20):  # the server itself would wait a minute
            await things.update_one({"_id": "changed"}, {"$set": {"free": True}})
        assert await things.find().to_list() == [{"_id": "kept"}, {"_id": "changed", "by": "nobody", "free": True}]
    assert not lives(before.pid)


async def test_what_a_killed_process_was_changing_can_soon_be_changed_by_the_others(tmp_path: Path) -> None:
    async with open_store(StoreOptions(data_dir=tmp_path), DOCUMENTS) as store:
        async with running("holds_a_transaction", tmp_path) as killed:
            await killed.until_it_says("in the middle")
            await killed.kill()

        async def change(unit: Unit) -> None:
            mine = {"$set": {"by": "a living one"}}
            await store.database["things"].update_one({"_id": "changed"}, mine, session=unit.session)

        await store.run(change)
        assert await store.database["things"].find_one({"_id": "changed"}) == {"_id": "changed", "by": "a living one"}


async def test_a_server_that_is_killed_comes_back_and_has_lost_nothing_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    stop = asyncio.Event()

    async def write(store: MongoStore, writer: int) -> None:
        number = writer
        while not stop.is_set():
            row = {"_id": number}

            async def work(unit: object, row: dict[str, int] = row) -> None:
                await store.database["kept"].update_one(row, {"$set": {"n": 1}}, upsert=True)

            with contextlib.suppress(ScrizaError):
                await store.run(work)
                acknowledged.add(number)
            number += 8

    async def acknowledge(so_many: int) -> None:
        await eventually(lambda: len(acknowledged) > so_many, seconds=30)

    async with open_store(StoreOptions(data_dir=tmp_path), DOCUMENTS) as store:
        writers = [asyncio.create_task(write(store, n)) for n in range(8)]
        for round_ in range(1, 5):
            await acknowledge(round_ * 200)
            os.kill(server(tmp_path).pid, signal.SIGKILL)
        await acknowledge(1000)
        stop.set()
        await asyncio.gather(*writers)
        there = {row["_id"] for row in await store.database["kept"].find().to_list()}
    assert acknowledged <= there


async def test_what_was_committed_is_told_after_its_process_was_killed_and_nothing_else(
    store_options: StoreOptions,
) -> None:
    arguments = (store_options.data_dir, store_options.url, store_options.database)
    async with running("tells_without_end", *arguments) as killed:
        await killed.until_it_says("told 20")
        await killed.kill()
    heard: list[int] = []

    async def hear(event: Event) -> None:
        heard.append(msgspec.json.decode(event.data)["n"])

    async with open_store(msgspec.structs.replace(store_options, bus=QUICK), DOCUMENTS) as store:
        kept = sorted([msgspec.convert(row["_id"], int) for row in await store.database["kept"].find().to_list()])
        store.bus.subscribe("usage", USAGE, hear)
        await eventually(lambda: len(heard) >= len(kept), seconds=20)
        await asyncio.sleep(0.5)
        assert len(kept) >= 21
        assert heard == kept == list(range(len(kept)))
        await drop(store.database)


async def test_every_event_is_counted_once_and_in_order_while_consumers_are_killed(tmp_path: Path) -> None:
    everything = [told(number, f"CA{number % 5}") for number in range(500)]
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(StoreOptions(data_dir=tmp_path, bus=QUICK), DOCUMENTS))
        counted = store.database["counted"]

        async def has_counted(events: int) -> None:
            async with asyncio.timeout(30):
                while await counted.count_documents({}) < events:  # noqa: ASYNC110 # another process counts
                    await asyncio.sleep(0.05)

        async def tell() -> None:
            for event in everything:
                await store.outbox.publish(event)
                await asyncio.sleep(0.01)

        consumer = await stack.enter_async_context(running("counts", tmp_path))
        await consumer.until_it_says("counting")
        await eventually(lambda: store.bus.waiting_for(set(USAGE)) == ["usage"])
        telling = asyncio.create_task(tell())
        for round_ in range(4):
            heir = await stack.enter_async_context(running("counts", tmp_path))
            await heir.until_it_says("counting")
            await has_counted(round_ * 60 + 20)
            await consumer.kill()
            consumer = heir
        await telling
        await has_counted(len(everything))
        rows = await counted.find().sort("at", 1).to_list()
    assert Counter(row["event"] for row in rows) == Counter(event.id for event in everything)
    for subject in {event.subject for event in everything}:
        numbers = [msgspec.convert(row["n"], int) for row in rows if row["subject"] == subject]
        assert numbers == sorted(numbers)


async def test_of_two_processes_that_end_the_same_calls_each_call_is_ended_by_one(
    store: MongoStore, store_options: StoreOptions
) -> None:
    log = MongoCallLog(store)
    for n in range(40):
        await log.open(NewCall(f"CA{n}", "default", "inbound", "", "", "ringing", START))
    arguments = (store_options.data_dir, store_options.url, store_options.database)
    async with running("ends_calls", *arguments) as one, running("ends_calls", *arguments) as other:
        await one.until_it_says("ready")
        await other.until_it_says("ready")
        one.tell()
        other.tell()
        ended = [int((await process.until_it_says("ended")).split()[1]) for process in (one, other)]
    assert sum(ended) == 40
    rows = await store.database["outbox"].find().to_list()
    told_of = [
        msgspec.json.decode(text, type=Event) for row in rows for text in msgspec.convert(row["events"], list[str])
    ]
    assert Counter(event.subject for event in told_of if event.type == Topic.CALL_COMPLETED) == Counter(
        f"CA{n}" for n in range(40)
    )


async def test_processes_that_start_at_once_share_one_server_and_ctrl_c_stops_it_with_the_last(tmp_path: Path) -> None:
    async with running("stays", tmp_path) as one, running("stays", tmp_path) as other:
        await one.until_it_says("ready")
        await other.until_it_says("ready")
        started = [line for process in (one, other) for line in process.said if "store.started" in line]
        assert len(started) == 1
        pid = server(tmp_path).pid
        await one.kill(signal.SIGINT)
        assert lives(pid)
        await other.kill(signal.SIGINT)
        assert any("store.stopped" in line for line in other.said)
    assert not lives(pid)
