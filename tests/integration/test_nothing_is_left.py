"""A caller is forgotten, and then looked for in all that Scriza keeps: store, objects, shared state, logs.

A whole Scriza with its embedded store, its directory of objects and a real Redis; a simulated phone calls it, texts it
and is called. What the caller is heard to say and what the model answers are the test's own, so that there is something
to look for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import msgspec
import pytest
from dependency_injector import providers
from redis.asyncio import Redis

from scriza.app import application, container_of
from scriza.container import Container
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript
from scriza.ports.memory import ERASERS, Erasure
from scriza.ports.telephony import CallRecord
from scriza.settings import load
from scriza.simulator.options import Options
from scriza.simulator.simulator import Simulator
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.mongo.engines import installed_engines
from tests.phone_line import caller, complete_record, free_port
from tests.serving import listening_socket, serving
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.standins.redis_server import NEEDED, installed, redis_server

pytestmark = pytest.mark.system

NUMBER, OUR_NUMBER = "+14155550147", Options().number
NAME, MAIL, SECRET = "Aurelia Montgolfier", "aurelia@montgolfier.example", "the blue submarine"
CANARIES = ("4155550147", "Aurelia", "aurelia", "Montgolfier", "montgolfier", "submarine")
SAID = f"my name is {NAME} my mail is {MAIL} and I have lost {SECRET}"
KEY = "a-key-of-the-clients"


class Understands:
    """A recogniser that understands the same of every turn."""

    async def transcribe(self, request: Transcribe) -> Transcript:
        raise NotImplementedError

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        async for block in blocks:
            if isinstance(block, Finalize):
                yield Final(SAID, 0.9, [], 0.0, 0.0)


class House:
    """A running Scriza, its phone, and everything that it keeps."""

    def __init__(
        self, container: Container, twilio: Simulator, api: httpx.AsyncClient, redis: Redis, folder: Path
    ) -> None:
        self.container, self.twilio, self.api, self.redis, self.folder = container, twilio, api, redis, folder

    async def everything(self) -> dict[str, bytes]:
        """All that is kept, by where: each collection, object and key of the shared state, names included."""
        kept: dict[str, bytes] = {}
        database = self.container.store().database
        for name in await database.list_collection_names():
            kept[f"store {name}"] = repr(await database[name].find().to_list()).encode()
        for path in (self.folder / "objects").rglob("*"):
            kept[f"object {path.relative_to(self.folder)}"] = path.read_bytes() if path.is_file() else b""
        for key in await self.redis.keys("*"):
            kept[f"shared {key.decode()}"] = await self.redis.get(key) or b""
        return kept

    async def found(self) -> set[str]:
        """Where any canary is."""
        everything = await self.everything()
        return {place for place, kept in everything.items() if any(word.encode() in kept for word in CANARIES)} | {
            place for place in everything if any(word in place for word in CANARIES)
        }

    async def record(self, call_id: str) -> CallRecord:
        return await complete_record(self.api, call_id, 60)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    if not installed_engines():
        pytest.skip("needs a database: pip install 'scriza[embedded]'")
    if not installed():
        pytest.skip(NEEDED)
    async with AsyncExitStack() as stack:
        shared = stack.enter_context(redis_server(tmp_path / "redis"))
        model = await stack.enter_async_context(OpenAiStandIn(Behaviour(text=f"Nice to meet you, {NAME}. One moment.")))
        sock, rest = listening_socket(), free_port()
        settings = load(
            data_dir=tmp_path / "data",
            public_url=f"http://127.0.0.1:{sock.getsockname()[1]}",
            redis_url=shared.url,
            openai_api_key="sk-test",
            openai_base_url=model.url,
            twilio_base_url=f"http://127.0.0.1:{rest}",
            outbound_sender=OUR_NUMBER,
            outbound_countries="US",
            recording="ours",
        )
        container = container_of(settings)
        container.asr.override(providers.Object(Understands()))
        url = await stack.enter_async_context(serving(application(container), sock, lifespan="on"))
        voice = espeak_worker()
        stack.push_async_callback(voice.close)
        twilio = await stack.enter_async_context(
            Simulator(
                url,
                auth_token=container.secrets().twilio_auth_token,
                voice=EspeakVoice(voice).samples,
                rest_port=rest,
                callee=caller("pause: 300", "hang_up"),
            )
        )
        bearer = {"authorization": f"Bearer {container.secrets().service_token}"}
        api = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, headers=bearer, trust_env=False, timeout=30)
        )
        redis = Redis.from_url(shared.url)
        stack.push_async_callback(redis.aclose)
        yield House(container, twilio, api, redis, tmp_path / "data")


async def deals_with(house: House) -> list[str]:
    """Everything that one can have to do with Scriza; returns the calls' ids."""
    talk = caller("wait", "say: a word about it", "wait", "say: and another one", "wait", "hang_up", caller=NUMBER)
    came = await house.twilio.call(talk)
    order = {"to": NUMBER, "reason": f"call {NAME} back", "variables": {"name": NAME}, "order_id": "crm-1"}
    placed = await house.api.post("/api/v1/calls", json=order, headers={"Idempotency-Key": f'"{KEY}-1"'})
    assert placed.status_code == httpx.codes.CREATED or placed.is_success, placed.text
    went = placed.json()["call_id"]
    await house.twilio.outcome(went)
    for call_id in (came.call_sid, went):
        await house.record(call_id)
    await house.twilio.text(NUMBER, f"it is {NAME} again")
    turn = {"conversation_id": came.call_sid, "messages": [{"role": "user", "content": SAID}]}
    asked = await house.api.post("/v1/turn", json=turn, headers={"Idempotency-Key": f'"{KEY}-2"'})
    assert asked.is_success, asked.text
    listed = await house.api.put(f"/api/v1/do-not-call/{NUMBER}", json={"note": f"as {NAME} has asked"})
    assert listed.is_success, listed.text
    return [came.call_sid, went]


async def forgotten(house: House) -> Erasure:
    """Have the number forgotten."""
    asked = await house.api.delete(f"/api/v1/memory/callers/{NUMBER}")
    assert asked.is_success, asked.text
    return msgspec.json.decode(asked.content, type=Erasure)


async def erased(house: House, erasure: Erasure) -> Erasure:
    """Wait until every module has said that nothing is left."""
    async with asyncio.timeout(200):  # a recording whose end nobody saw is given two minutes
        while not erasure.done:
            await asyncio.sleep(0.2)
            answer = await house.api.get(f"/api/v1/memory/erasures/{erasure.erasure_id}")
            erasure = msgspec.json.decode(answer.content, type=Erasure)
    return erasure


@pytest.mark.timeout(400)
async def test_of_a_forgotten_caller_nothing_is_left_anywhere(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    calls = await deals_with(house)
    before = await house.found()
    clips = [str(row["key"]) for row in await house.container.store().database["call_clips"].find().to_list()]
    assert {
        "store calls",
        "store call_event_logs",
        "store carrier_intents",
        "store do_not_call",
        "store call_messages",
        "store memory_logs",
        "store outbox",
    } <= before
    assert any(place.startswith("shared scriza:llm/") for place in before)
    assert any(place.startswith("shared scriza:idempotency:") for place in before)
    assert clips
    assert any(path.is_file() for path in (house.folder / "objects/recordings").rglob("*"))

    erasure = await erased(house, await forgotten(house))

    assert {part.module for part in erasure.modules} == {"memory", *ERASERS}
    assert await house.found() == set()
    assert not [path for path in (house.folder / "objects/recordings").rglob("*") if path.is_file()]
    assert not [key for key in clips if (house.folder / "objects" / key).exists()]
    for call_id in calls:
        record = await house.record(call_id)
        assert (record.forgotten, record.turns, record.messages, record.reason) == (True, [], [], "")
    logged = "".join(capfd.readouterr())
    assert not [word for word in CANARIES if word in logged]


@pytest.mark.timeout(400)
async def test_who_is_forgotten_while_they_talk_is_erased_when_they_have_hung_up(house: House) -> None:
    talk = caller("wait", "say: a word about it", "wait", "say: and another one", "wait", "hang_up", caller=NUMBER)
    calling = asyncio.create_task(house.twilio.call(talk))
    async with asyncio.timeout(60):
        while "store call_turns" not in await house.found():  # noqa: ASYNC110 # there is no event to wait for
            await asyncio.sleep(0.1)
    order = await forgotten(house)
    assert not order.done
    call = await calling
    await erased(house, order)
    assert await house.found() == set()
    assert (await house.record(call.call_sid)).forgotten


@pytest.mark.timeout(400)
async def test_a_forgotten_caller_is_still_not_called_and_is_a_new_one_when_they_call_again(house: House) -> None:
    await deals_with(house)
    await erased(house, await forgotten(house))
    refused = await house.api.post("/api/v1/calls", json={"to": NUMBER})
    assert (refused.status_code, refused.json()["reason"]) == (httpx.codes.FORBIDDEN, "do-not-call")
    known = await house.api.get(f"/api/v1/memory/callers/{NUMBER}")
    assert known.json() == {}
    again = await house.twilio.call(caller("wait", "hang_up", caller=NUMBER))
    record = await house.record(again.call_sid)
    assert (record.forgotten, len(record.turns)) == (False, 1)
