"""Somebody calls a real `scriza serve` twice: the second call knows what the first one learned.

Then their number is erased, and nothing of them is left, in no collection of the store and no file beside it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bson import encode
from pymongo import AsyncMongoClient

from scriza.kernel.principal import Principal, acting
from scriza.ports.memory import CallerMemory, Erasure, RememberedCall
from scriza.ports.playbook import Answer, Intent, Playbook, SlotWords
from scriza.ports.strategy import Publish, SaveVersion, Strategy
from scriza.wire import connect, disconnect
from scriza_adapters.mongo.embedded import EmbeddedServer
from tests.phone_line import PhoneLine, caller, free_port, phone_line
from tests.playbooks import PAPER_KITE
from tests.running_scriza import RunningScriza, running_scriza

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

NUMBER = "+14155550143"
NAME, DAY = "victor", "tomorrow afternoon"
FIRST = caller(
    *("wait: 400", "say: my name is victor", "wait: 400", "say: tomorrow afternoon works"),
    *("wait: 400", "say: thank you goodbye"),
    caller=NUMBER,
)
SECOND = caller("wait: 400", "say: thank you goodbye", caller=NUMBER)


def that_knows_names() -> Playbook:
    """Paper Kite's, which greets those by name who have told it, with a name that the recogniser knows."""
    says_name = Intent(
        id="my_name",
        phrases=["my name is victor"],
        triggers=[NAME],
        slot=SlotWords(name="name", words=[NAME]),
        answer=Answer(say=["Nice to meet you, {name}."], ask=True),
    )
    return msgspec.structs.replace(PAPER_KITE, intents=[*PAPER_KITE.intents, says_name])


async def published(server: RunningScriza, playbook: Playbook) -> None:
    strategy = connect(Strategy, server.url, token=server.token)
    try:
        with acting(Principal()):
            await strategy.save(SaveVersion(text=msgspec.json.encode(playbook).decode(), kind="json"))
            await strategy.publish(playbook.slug, Publish())
    finally:
        await disconnect(strategy)


async def call(line: PhoneLine, scenario: Any) -> RememberedCall:
    """A whole call, and what is remembered of it when it was worked over."""
    outcome = await line.twilio.call(scenario)
    assert outcome.violations == []
    async with asyncio.timeout(30):
        while True:
            answer = await line.api.get(f"/api/v1/memory/calls/{outcome.call_sid}")
            if answer.is_success:
                remembered = msgspec.json.decode(answer.content, type=RememberedCall)
                if remembered.state == "worked":
                    return remembered
            await asyncio.sleep(0.1)


async def erased(line: PhoneLine) -> Erasure:
    """The proof, once it is complete."""
    answer = await line.api.delete(f"/api/v1/memory/callers/{NUMBER}")
    async with asyncio.timeout(60):
        while not (erasure := msgspec.json.decode(answer.content, type=Erasure)).done:
            await asyncio.sleep(0.1)
            answer = await line.api.get(f"/api/v1/memory/erasures/{erasure.erasure_id}")
    return erasure


async def traces(server: RunningScriza, *words: str) -> set[str]:
    """Collections of the store, and files beside it, in which any of the words is."""
    data = server.folder / "data"
    store = EmbeddedServer(data)
    attached = await asyncio.to_thread(store.attach)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(attached.url)
    found = set()
    try:
        database = client["scriza"]
        for name in await database.list_collection_names():
            async for row in database[name].find():
                if holds(encode(row), *words):
                    found.add(name)
    finally:
        await client.close()
        await asyncio.to_thread(store.detach)
    files = (file for file in data.rglob("*") if file.is_file() and file.relative_to(data).parts[0] != "store")
    return found | {str(file.relative_to(data)) for file in files if holds(file.read_bytes(), *words)}


def holds(content: bytes, *words: str) -> bool:
    return any(word.lower().encode() in content.lower() for word in words)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningScriza]:
    rest_port = free_port()
    environment = {"TWILIO_BASE_URL": f"http://127.0.0.1:{rest_port}", "SCRIZA_RECORDING": "ours"}
    with running_scriza(tmp_path / "scriza", ["--port", str(free_port())], **environment) as server:
        yield server


def recordings(server: RunningScriza) -> list[Path]:
    return [file for file in (server.folder / "data" / "objects" / "recordings").rglob("*") if file.is_file()]


async def test_who_calls_again_is_known_and_who_is_forgotten_leaves_nothing(server: RunningScriza) -> None:
    async with phone_line(server) as line:
        await published(server, that_knows_names())
        first = await call(line, FIRST)
        second = await call(line, SECOND)
        answer = await line.api.get(f"/api/v1/memory/callers/{NUMBER}")
        known = msgspec.json.decode(answer.content, type=CallerMemory)
        before = await traces(server, NUMBER, NUMBER[1:], NAME, DAY)
        heard_of_it = recordings(server)
        erasure = await erased(line)
        after = await traces(server, NUMBER, NUMBER[1:], NAME, DAY)
        forgotten = await line.api.get(f"/api/v1/memory/callers/{NUMBER}")
        records = [await line.record(each.call_id) for each in (first, second)]
        left_to_hear = recordings(server)
        third = await call(line, SECOND)

    assert first.turns[0].heard == "Hi, this is Sunny, the AI assistant at Paper Kite. How can I help?"
    assert second.turns[0].heard == str(PAPER_KITE.opening.returning).replace("{name}", NAME)
    assert (known.calls, known.last_outcome) == (2, "")
    assert {item.name: item.text for item in known.known if item.kind == "fact"} == {"name": NAME, "time": DAY}
    assert [(field.name, field.value, field.evidence.quote) for field in first.fields] == [("demo_time", DAY, DAY)]

    assert before >= {"calls", "call_turns", "call_event_logs", "memory_logs", "memory_callers", "outbox"}
    assert len(heard_of_it) > 0
    assert after - {"strategies"} == set(), "the playbook itself knows the name"
    assert left_to_hear == []
    assert msgspec.json.decode(forgotten.content, type=CallerMemory) == CallerMemory()
    assert {part.module for part in erasure.modules if part.state == "done"} >= {"memory", "telephony", "events"}
    assert {part.module: part.erased for part in erasure.modules}["memory"]["calls"] == 2
    assert all(NAME.encode() not in body for body in (msgspec.json.encode(erasure), server.output.encode()))
    assert [(record.forgotten, record.turns, record.last_transcript) for record in records] == [(True, [], "")] * 2
    assert third.turns[0].heard == first.turns[0].heard, "who calls again is new"
