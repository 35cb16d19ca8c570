"""Under an ``Idempotency-Key`` a turn and a clip are made, and metered, once: by one process or by several."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from dependency_injector import providers
from litestar import Router

from scriza.app import application, container_of
from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.modules.llm.engine import Route, Upstream
from scriza.modules.llm.service import LlmService
from scriza.modules.tts.service import TtsService
from scriza.ports.llm import Llm
from scriza.ports.tts import Tts
from scriza.settings import load
from scriza.wire import serve
from scriza.wire.idempotency import Replays
from scriza_adapters.mongo.store import StoreOptions
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.openai.engine import OpenAiEngine
from scriza_adapters.shared_state.memory import MemorySharedState
from tests.memory_credit import Purse
from tests.serving import serving
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.standins.redis_server import NEEDED, RedisServer, installed, redis_server
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.waiting import eventually

TOKEN = "a-service-token"
KEY = {"Idempotency-Key": '"CA1:7:1"'}
TURN = {"conversation_id": "CA1", "messages": [{"role": "user", "content": "I'm busy right now"}]}
SPEAK = {"text": "one two three", "format": "mulaw"}


@pytest.fixture
async def server() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn(Behaviour("No problem. When suits you better?", usage=(123, 45))) as running:
        yield running


@asynccontextmanager
async def reached(router: Router) -> AsyncIterator[httpx.AsyncClient]:
    app = edge_around([behind(Bearer(), router)], [ServiceAccess(TOKEN)])
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with serving(app) as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as client:
        yield client


@asynccontextmanager
async def thinking(server: OpenAiStandIn, told: Told) -> AsyncIterator[httpx.AsyncClient]:
    """Without a cache, which would serve the second turn too, and meter it."""
    engine = OpenAiEngine("sk-key", base_url=server.url)
    critical, cheap = (Route((Upstream(engine, model),)) for model in ("gpt-4o", "gpt-4o-mini"))
    service = LlmService(told, critical=critical, cheap=cheap, cache_ttl_s=0)
    async with reached(serve(Llm, service, replays=Replays(MemorySharedState()))) as client:
        yield client
    await service.close()


@pytest.mark.parametrize("path", ["/v1/turn", "/v1/stream-turn"])
async def test_a_turn_is_metered_once(server: OpenAiStandIn, path: str) -> None:
    told = Told()
    async with thinking(server, told) as client:
        first = await client.post(path, json=TURN, headers=KEY)
        again = await client.post(path, json=TURN, headers=KEY)
        assert (first.status_code, again.content) == (200, first.content)
        assert (len(server.completions), len(told.events)) == (1, 1)
        assert (await client.post(path, json=TURN)).headers.get("idempotency-replayed") is None
        assert (len(server.completions), len(told.events)) == (2, 2)


async def test_a_turn_whose_client_was_lost_in_the_middle_is_metered_once_and_found_whole(
    server: OpenAiStandIn,
) -> None:
    server.will(Behaviour("one two three four five", gap_s=0.05, usage=(9, 5)))
    told = Told()
    async with thinking(server, told) as client:
        async with client.stream("POST", "/v1/stream-turn", json=TURN, headers=KEY) as lost:
            await anext(lost.aiter_text())
        await eventually(lambda: told.events)
        found = await client.post("/v1/stream-turn", json=TURN, headers=KEY)
    assert found.headers["idempotency-replayed"] == "true"
    assert '"text":"one two three four five"' in found.text
    assert (len(server.completions), len(told.events)) == (1, 1)


@pytest.mark.parametrize("path", ["/v1/speak", "/v1/stream-speak"])
async def test_a_clip_is_made_and_metered_once(tmp_path: Path, path: str) -> None:
    told, engine = Told(), ToneEngine()
    service = TtsService([engine], DirectoryObjects(tmp_path, url="http://here.local", key="secret"), told)
    async with reached(serve(Tts, service, replays=Replays(MemorySharedState()))) as client:
        first = await client.post(path, json=SPEAK, headers=KEY)
        again = await client.post(path, json=SPEAK, headers=KEY)
    await service.close()
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert (len(engine.asked), len(told.events)) == (1, 1)


# ---- several processes, one Redis -------------------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    if not installed():
        pytest.skip(NEEDED)
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def two(
    tmp_path: Path, store_options: StoreOptions, server: OpenAiStandIn, redis: RedisServer
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two whole applications, as two processes on one data directory are."""
    told: dict[str, Any] = {
        "data_dir": tmp_path / "data",
        "mongo_url": store_options.url,
        "mongo_database": store_options.database,
        "modules": "llm",
        "openai_api_key": "sk-key",
        "openai_base_url": server.url,
        "redis_url": redis.url,
    }
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            container = container_of(load(**told))
            # Of two stores in one process the documents belong to one; who keeps credit writes in transactions.
            container.usage.override(providers.Object(Purse()))
            url = await stack.enter_async_context(serving(application(container)))
            headers = {"authorization": f"Bearer {container.secrets().service_token}"}
            clients.append(
                await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=20))
            )
        yield clients


async def test_another_process_replays_what_the_first_one_did(
    two: list[httpx.AsyncClient], server: OpenAiStandIn
) -> None:
    first = await two[0].post("/v1/turn", json=TURN, headers=KEY)
    again = await two[1].post("/v1/turn", json=TURN, headers=KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert (again.headers["idempotency-replayed"], again.headers["x-scriza-cache"]) == ("true", "miss")
    other = await two[1].post("/v1/turn", json=TURN | {"goals": ["book_demo"]}, headers=KEY)
    assert (other.status_code, len(server.completions)) == (422, 1)


async def test_another_process_knows_what_the_first_one_is_doing(
    two: list[httpx.AsyncClient], server: OpenAiStandIn
) -> None:
    go_on = asyncio.Event()
    server.will(Behaviour("Sure.", until=go_on))
    asked = asyncio.create_task(two[0].post("/v1/turn", json=TURN, headers=KEY))
    await asyncio.wait_for(server.asked.wait(), 5)
    answer = await two[1].post("/v1/turn", json=TURN, headers=KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    go_on.set()
    assert (await asked).json()["text"] == "Sure."


async def test_processes_share_the_answers_of_the_model_too(
    two: list[httpx.AsyncClient], server: OpenAiStandIn
) -> None:
    for attempt in range(8):
        turn = TURN | {"goals": [f"goal_{attempt}"]}
        asked = len(server.completions)
        await two[0].post("/v1/turn", json=turn)
        again = await two[1].post("/v1/turn", json=turn)
        if again.headers["x-scriza-cache"] == "hit":
            assert len(server.completions) == asked + 1
            return
        await asyncio.sleep(5)  # a Redis that was slow for once is a miss, and left alone for so long
    pytest.fail("no answer was shared")


async def test_without_redis_what_needs_no_promise_goes_on(
    two: list[httpx.AsyncClient], redis: RedisServer, server: OpenAiStandIn
) -> None:
    redis.stop()
    assert (await two[0].post("/v1/turn", json=TURN)).status_code == 200
    assert (await two[0].post("/v1/turn", json=TURN, headers=KEY)).status_code == 503
    redis.start()
    assert (await two[0].post("/v1/turn", json=TURN, headers=KEY)).status_code == 200
