"""`POST /v1/turn` and `POST /v1/stream-turn` as any client sees them, in front of a model on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.modules.llm.engine import Route, Upstream
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Llm
from scriza.wire import serve
from scriza_adapters.openai.engine import OpenAiEngine
from tests.serving import serving
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.standins.teller import Told

TOKEN = "a-service-token"

TURN = {
    "conversation_id": "CA1",
    "persona": {"name": "Scrappy", "tone": "friendly", "locale": "en-IN"},
    "goals": ["book_demo"],
    "messages": [
        {"role": "system", "content": "You are a helpful sales AI."},
        {"role": "user", "content": "I'm busy right now"},
    ],
    "tools": [],
    "policy": {"critical": True, "temperature": 0.7},
}


@pytest.fixture
async def server() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn(Behaviour("No problem. When suits you better?", usage=(123, 45))) as running:
        yield running


@pytest.fixture
async def client(server: OpenAiStandIn) -> AsyncIterator[httpx.AsyncClient]:
    engine = OpenAiEngine("sk-key", base_url=server.url)
    critical, cheap = (Route((Upstream(engine, model),)) for model in ("gpt-4o", "gpt-4o-mini"))
    service = LlmService(Told(), critical=critical, cheap=cheap, cache_ttl_s=60)
    await service.warm_up()
    async with _client_of(service) as client:
        yield client


@pytest.fixture
async def keyless() -> AsyncIterator[httpx.AsyncClient]:
    """Without a model."""
    async with _client_of(LlmService(Told())) as client:
        yield client


@asynccontextmanager
async def _client_of(service: LlmService) -> AsyncIterator[httpx.AsyncClient]:
    app = edge_around([behind(Bearer(), serve(Llm, service))], [ServiceAccess(TOKEN)])
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with serving(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        yield client
    await service.close()


def events_of(body: str) -> list[tuple[str, dict[str, object]]]:
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in body.strip().split("\n\n")]
    return [(block["event"], json.loads(block["data"])) for block in blocks]


async def test_a_turn_is_answered_in_exactly_the_agreed_shape(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/turn", json=TURN)
    assert (reply.status_code, reply.headers["x-scriza-cache"]) == (200, "miss")
    assert reply.json() == {
        "text": "No problem. When suits you better?",
        "usage": {"prompt_tokens": 123, "completion_tokens": 45, "total_tokens": 168},
        "model": "gpt-4o",
        "cached": False,
    }


async def test_the_model_gets_persona_goals_and_the_callers_own_words(
    client: httpx.AsyncClient, server: OpenAiStandIn
) -> None:
    await client.post("/v1/turn", json=TURN)
    await client.post("/v1/turn", json=TURN | {"persona": {"name": "Ada"}})
    await client.post("/v1/turn", json=TURN | {"goals": ["collect_email"]})
    systems = [str(request.body["messages"][0]["content"]) for request in server.completions]
    assert len(set(systems)) == 3
    assert all(system.endswith("You are a helpful sales AI.") for system in systems)
    assert "Scrappy" in systems[0]
    assert "Ada" in systems[1]
    assert "collect email" in systems[2]
    assert server.completions[0].body["messages"][1] == {"role": "user", "content": "I'm busy right now"}


async def test_the_same_turn_again_is_cached_whatever_its_conversation(
    client: httpx.AsyncClient, server: OpenAiStandIn
) -> None:
    first = await client.post("/v1/turn", json=TURN)
    again = await client.post("/v1/turn", json=TURN | {"conversation_id": "CA2"})
    assert again.json() == first.json() | {"cached": True}
    assert again.headers["x-scriza-cache"] == "hit"
    assert len(server.completions) == 1


async def test_tool_calls_are_in_the_reply_when_there_are_some(
    client: httpx.AsyncClient, server: OpenAiStandIn
) -> None:
    server.will(Behaviour("", tool_calls=[("end_call", '{"reason": "bye"}')]))
    reply = await client.post("/v1/turn", json=TURN)
    assert reply.json()["tool_calls"] == [{"id": "call_0", "name": "end_call", "arguments": '{"reason": "bye"}'}]


async def test_a_stream_has_the_agreed_events(client: httpx.AsyncClient, server: OpenAiStandIn) -> None:
    server.will(Behaviour("Sure.", tool_calls=[("end_call", "{}")], usage=(9, 2)))
    reply = await client.post("/v1/stream-turn", json=TURN)
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert events_of(reply.text) == [
        ("text", {"text": "Sure."}),
        ("tool", {"id": "call_0", "name": "end_call", "arguments": "{}"}),
        ("usage", usage),
        ("done", {"text": "Sure.", "model": "gpt-4o", "cached": False, "usage": usage}),
    ]


async def test_a_stream_that_breaks_off_ends_with_an_error_event(
    client: httpx.AsyncClient, server: OpenAiStandIn
) -> None:
    server.will(Behaviour("one two three four", cut_after=2))
    reply = await client.post("/v1/stream-turn", json=TURN | {"script": [{"id": "a", "text": "A line."}]})
    *texts, (name, problem) = events_of(reply.text)
    assert [text for _, text in texts] == [{"text": "one "}, {"text": "two "}]
    assert (name, problem["type"], problem["status"]) == ("error", "urn:scriza:problem:upstream-failed", 502)


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_model_that_refuses_is_a_problem_before_the_stream_begins(
    client: httpx.AsyncClient, server: OpenAiStandIn, status: int
) -> None:
    server.will(Behaviour(status=status, headers={"retry-after": "7"}))
    reply = await client.post("/v1/stream-turn", json=TURN)
    assert (reply.status_code, reply.headers["content-type"]) == (502, "application/problem+json")
    assert "secret" not in reply.text
    assert "sk-key" not in reply.text


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(status=429), Behaviour(status=500), Behaviour(body="<html>"), Behaviour(cut_after=0), Behaviour("")],
)
async def test_with_a_script_a_failing_model_is_never_silence(
    client: httpx.AsyncClient, server: OpenAiStandIn, behaviour: Behaviour
) -> None:
    server.will(behaviour)
    reply = await client.post("/v1/turn", json=TURN | {"script": [{"id": "busy.1", "text": "When may I call back?"}]})
    assert reply.status_code == 200
    assert (reply.json()["text"], reply.json()["model"]) == ("When may I call back?", "playbook")
    assert reply.headers["x-scriza-usage"] == "estimated"


async def test_a_client_that_leaves_closes_the_stream_to_the_model(
    client: httpx.AsyncClient, server: OpenAiStandIn
) -> None:
    server.will(Behaviour("one two three", stall_after=1))
    async with client.stream("POST", "/v1/stream-turn", json=TURN) as reply:
        assert "event: text" in await anext(reply.aiter_text())
    await asyncio.wait_for(server.completions[0].disconnected.wait(), 5)


async def test_all_turns_share_the_connection_to_the_model(client: httpx.AsyncClient, server: OpenAiStandIn) -> None:
    for number in range(4):
        await client.post("/v1/turn", json=TURN | {"goals": [f"goal_{number}"]})
    assert len(server.completions) == 4
    assert len({request.port for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"{}", 400),
        (b'{"messages": []}', 400),
        (b'{"messages": [{"role": "wizard", "content": "hi"}]}', 400),
        (b'{"messages": [{"role": "user", "content": 7}]}', 400),
        (b'{"messages": [{"role": "user", "content": "hi"}], "policy": {"temperature": 3}}', 400),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 400),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', 400),
        (b'{"messages": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
        (json.dumps(TURN | {"goals": ["word " * 100_000]}).encode(), 413),
    ],
)
async def test_bad_input_is_a_problem(keyless: httpx.AsyncClient, body: bytes, status: int) -> None:
    reply = await keyless.post("/v1/turn", content=body, headers={"content-type": "application/json"})
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


async def test_unknown_fields_are_ignored(keyless: httpx.AsyncClient) -> None:
    script = [{"id": "a", "text": "A line.", "colour": "red"}]
    reply = await keyless.post("/v1/turn", json=TURN | {"mood": "sunny", "script": script})
    assert (reply.status_code, reply.json()["text"]) == (200, "A line.")


async def test_without_a_model_and_a_script_the_problem_says_what_is_missing(keyless: httpx.AsyncClient) -> None:
    reply = await keyless.post("/v1/turn", json=TURN)
    assert reply.status_code == 503
    assert "no language model is configured" in reply.json()["detail"]


async def test_the_models_are_listed(client: httpx.AsyncClient) -> None:
    reply = (await client.get("/v1/models")).json()
    assert [(model["id"], model["policy"], model["engine"]) for model in reply["data"]] == [
        ("gpt-4o", "critical", "openai"),
        ("gpt-4o-mini", "cheap", "openai"),
        ("playbook", "fallback", "playbook"),
    ]
    strong, _, playbook = reply["data"]
    assert (strong["order"], strong["first_token_ms"], strong["state"]) == (0, 700, "closed")
    assert (
        strong["price"].items() >= {"prompt": 2_500_000, "cached_prompt": 1_250_000, "completion": 10_000_000}.items()
    )
    assert playbook["price"] is None
