"""`POST /v1/chat/completions` and `GET /v1/models` for who speaks OpenAI's protocol: the official SDK is the client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionToolParam

from scriza.app import application, container_of
from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.chat import chat_route
from scriza.gateway.edge import edge_around
from scriza.modules.llm.engine import Route, Upstream
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Llm
from scriza.ports.usage import LlmUsed
from scriza.settings import load
from scriza.wire import serve
from scriza_adapters.mongo.store import StoreOptions
from scriza_adapters.openai.engine import OpenAiEngine
from tests.memory_credit import Purse
from tests.serving import serving
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.standins.teller import Told

TOKEN = "a-service-token"
ASKED: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are a helpful sales AI."},
    {"role": "user", "content": "I'm busy right now"},
]
END_CALL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "end_call",
        "description": "Hang up.",
        "parameters": {"type": "object", "properties": {"reason": {"type": "string"}}},
    },
}
SCRIPT = {"script": [{"id": "busy.1", "text": "When may I call back?"}]}


@pytest.fixture
async def server() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn(Behaviour("No problem. When suits you better?", usage=(123, 45))) as running:
        yield running


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def url(server: OpenAiStandIn, told: Told) -> AsyncIterator[str]:
    engine = OpenAiEngine("sk-key", base_url=server.url)
    critical, cheap = (Route((Upstream(engine, model),)) for model in ("gpt-4o", "gpt-4o-mini"))
    service = LlmService(told, critical=critical, cheap=cheap, cache_ttl_s=60)
    async with _serving(service) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=TOKEN, base_url=f"{url}/v1", max_retries=0, timeout=20) as client:
        yield client


@asynccontextmanager
async def _serving(service: LlmService) -> AsyncIterator[str]:
    app = edge_around([behind(Bearer(), serve(Llm, service), chat_route(lambda: service))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        yield url
    await service.close()


async def chunks_of(client: AsyncOpenAI, **asked: Any) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(stream=True, **({"model": "cheap", "messages": ASKED} | asked))
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def used(told: Told) -> list[LlmUsed]:
    return [msgspec.json.decode(event.data, type=LlmUsed) for event in told.events]


async def test_a_completion_has_text_usage_and_the_model_that_answered(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="gpt-4o", messages=ASKED)
    assert (reply.object, reply.model) == ("chat.completion", "gpt-4o")
    assert reply.created > 1_700_000_000
    (choice,) = reply.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert (choice.message.content, choice.message.tool_calls) == ("No problem. When suits you better?", None)
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (123, 45, 168)


async def test_a_stream_says_the_same_in_pieces(client: AsyncOpenAI) -> None:
    first, *pieces, last = await chunks_of(client)
    assert (first.object, first.choices[0].delta.role) == ("chat.completion.chunk", "assistant")
    assert text_of(pieces) == "No problem. When suits you better?"
    assert [choice.finish_reason for chunk in [first, *pieces] for choice in chunk.choices] == [None] * (
        len(pieces) + 1
    )
    assert (last.choices[0].finish_reason, last.choices[0].delta.content, last.model) == ("stop", None, "gpt-4o-mini")
    assert len({chunk.id for chunk in [first, *pieces, last]}) == 1
    assert all(chunk.usage is None for chunk in [first, *pieces, last])


async def test_usage_ends_a_stream_for_who_asks_for_it(client: AsyncOpenAI) -> None:
    chunks = await chunks_of(client, stream_options={"include_usage": True})
    *before, last = chunks
    assert (last.choices, last.usage and last.usage.total_tokens) == ([], 168)
    assert all(chunk.usage is None and chunk.choices for chunk in before)


async def test_the_wire_of_a_stream_is_openais(url: str) -> None:
    body = {"model": "cheap", "messages": ASKED, "stream": True}
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}) as plain:
        answer = await plain.post(f"{url}/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    for event in events:
        assert event.startswith("data: {")
        assert json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk"
    assert '"usage"' not in answer.text
    assert answer.headers["x-scriza-cache"] == "miss"


async def test_the_sdks_own_stream_helper_understands_us(client: AsyncOpenAI, server: OpenAiStandIn) -> None:
    server.will(Behaviour("One moment.", tool_calls=[("end_call", '{"reason": "bye"}')]))
    async with client.chat.completions.stream(model="cheap", messages=ASKED, tools=[END_CALL]) as stream:
        async for _ in stream:
            pass
        reply = await stream.get_final_completion()
    message = reply.choices[0].message
    assert message.content == "One moment."
    assert message.tool_calls
    assert message.tool_calls[0].function.arguments == '{"reason": "bye"}'


async def test_tools_are_handed_on_and_calls_come_back(client: AsyncOpenAI, server: OpenAiStandIn) -> None:
    server.will(Behaviour("", tool_calls=[("end_call", '{"reason": "bye"}')]))
    reply = await client.chat.completions.create(model="critical", messages=ASKED, tools=[END_CALL])
    assert server.completions[0].body["tools"] == [END_CALL]
    (choice,) = reply.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert (call.id, call.function.name, call.function.arguments) == ("call_0", "end_call", '{"reason": "bye"}')


async def test_several_calls_in_a_stream_are_told_apart_by_their_index(
    client: AsyncOpenAI, server: OpenAiStandIn
) -> None:
    server.will(Behaviour("Bye.", tool_calls=[("end_call", "{}"), ("send_sms", '{"text": "x"}')]))
    chunks = await chunks_of(client, tools=[END_CALL])
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert [(call.index, call.id, call.function and call.function.name) for call in calls] == [
        (0, "call_0", "end_call"),
        (1, "call_1", "send_sms"),
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_a_conversation_with_tools_reaches_the_model_as_it_was(
    client: AsyncOpenAI, server: OpenAiStandIn
) -> None:
    call = {"id": "call_0", "type": "function", "function": {"name": "look_up", "arguments": '{"what": "price"}'}}
    conversation: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What does "}, {"type": "text", "text": "it cost?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": "9 dollars"},
    ]
    await client.chat.completions.create(model="cheap", messages=conversation)
    system, user, assistant, tool = server.completions[0].body["messages"]  # type: ignore[misc]  # a list, in this test
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "What does it cost?"}
    assert assistant["tool_calls"] == [call]
    assert (tool["tool_call_id"], tool["content"]) == ("call_0", "9 dollars")


async def test_nothing_is_added_to_what_the_model_is_told(client: AsyncOpenAI, server: OpenAiStandIn) -> None:
    only: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Bonjour"}]
    await client.chat.completions.create(model="cheap", messages=only)
    assert server.completions[0].body["messages"] == only


async def test_tool_choice_none_hands_no_tools_on(client: AsyncOpenAI, server: OpenAiStandIn) -> None:
    await client.chat.completions.create(model="cheap", messages=ASKED, tools=[END_CALL], tool_choice="none")
    assert "tools" not in server.completions[0].body


@pytest.mark.parametrize(
    ("model", "answers"),
    [("critical", "gpt-4o"), ("cheap", "gpt-4o-mini"), ("gpt-4o", "gpt-4o"), ("gpt-4o-mini", "gpt-4o-mini")],
)
async def test_a_model_is_named_by_its_alias_or_its_id(
    client: AsyncOpenAI, server: OpenAiStandIn, model: str, answers: str
) -> None:
    reply = await client.chat.completions.create(model=model, messages=ASKED)
    assert (reply.model, server.completions[0].body["model"]) == (answers, answers)


@pytest.mark.parametrize("model", ["gpt-5", "", "playbook", "fallback"])
async def test_another_model_is_not_found(client: AsyncOpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        await client.chat.completions.create(model=model, messages=ASKED)
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize(
    ("asked", "limit", "temperature"),
    [
        ({}, 4096, 0.7),
        ({"max_tokens": 20, "temperature": 0}, 20, 0),
        ({"max_completion_tokens": 30, "temperature": 2}, 30, 2),
        ({"max_tokens": 100_000}, 4096, 0.7),
    ],
)
async def test_limits_and_temperature_are_handed_on(
    client: AsyncOpenAI, server: OpenAiStandIn, asked: dict[str, Any], limit: int, temperature: float
) -> None:
    await client.chat.completions.create(model="cheap", messages=ASKED, **asked)
    body = server.completions[0].body
    assert (body["max_tokens"], body["temperature"]) == (limit, temperature)


async def test_a_reply_as_long_as_allowed_was_cut_at_its_length(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="cheap", messages=ASKED, max_tokens=45)
    assert reply.choices[0].finish_reason == "length"
    assert (await chunks_of(client, max_tokens=45))[-1].choices[0].finish_reason == "length"


async def test_the_cache_serves_both_doors_and_every_answer_is_metered(
    client: AsyncOpenAI, url: str, server: OpenAiStandIn, told: Told
) -> None:
    turn = {"messages": [{"role": "user", "content": "hi"}], "persona": {"locale": ""}}
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}) as plain:
        assert (await plain.post(f"{url}/v1/turn", json=turn)).status_code == 200
    raw = await client.chat.completions.with_raw_response.create(
        model="cheap", messages=[{"role": "user", "content": "hi"}], user="somebody", metadata={"call_id": "CA7"}
    )
    assert raw.headers["x-scriza-cache"] == "hit"
    assert len(server.completions) == 1
    first, second = used(told)
    assert (first.cached, second.cached, second.call_id) == (False, True, "CA7")


async def test_the_user_is_the_conversation_where_no_call_is_named(client: AsyncOpenAI, told: Told) -> None:
    await client.chat.completions.create(model="cheap", messages=ASKED, user="conversation-1")
    assert [one.call_id for one in used(told)] == ["conversation-1"]


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"n": 2}, "n:"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stop": ["."]}, "stop"),
        ({"tool_choice": "required", "tools": [END_CALL]}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "end_call"}}, "tools": [END_CALL]}, "tool_choice"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": -1}, "max_completion_tokens"),
        ({"max_completion_tokens": 0, "max_tokens": 5}, "max_completion_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0]: the role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "image_url"),
        ({"messages": [{"role": "user", "content": 7}]}, "$.messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_done_as_asked_is_refused_by_name(
    client: AsyncOpenAI, server: OpenAiStandIn, asked: dict[str, Any], word: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.chat.completions.create(**({"model": "cheap", "messages": ASKED, "stream": stream} | asked))
    assert word in raised.value.message
    assert isinstance(raised.value.body, dict)
    assert (raised.value.type, raised.value.code) == ("invalid_request_error", "bad_input")
    assert server.completions == []


async def test_what_is_only_a_hint_is_taken_and_ignored(client: AsyncOpenAI) -> None:
    hints: dict[str, Any] = {"top_p": 0.5, "seed": 1, "presence_penalty": 1, "n": 1, "logprobs": False, "stop": None}
    reply = await client.chat.completions.create(
        model="cheap", messages=ASKED, response_format={"type": "text"}, parallel_tool_calls=False, **hints
    )
    assert reply.choices[0].message.content


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"null"])
async def test_a_body_that_is_none_is_a_bad_request_in_openais_shape(url: str, body: bytes) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    async with httpx.AsyncClient(headers=headers) as plain:
        answer = await plain.post(f"{url}/v1/chat/completions", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"]


async def test_a_wrong_key_is_an_authentication_error(url: str) -> None:
    async with AsyncOpenAI(api_key="guess", base_url=f"{url}/v1", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as raised:
            await stranger.chat.completions.create(model="cheap", messages=ASKED)
    assert raised.value.code == "invalid_api_key"


async def test_a_conversation_too_long_says_so_as_openai_does(client: AsyncOpenAI) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 100_000}]
    with pytest.raises(openai.BadRequestError) as raised:
        await client.chat.completions.create(model="cheap", messages=long)
    assert raised.value.code == "context_length_exceeded"


async def test_a_body_too_large_to_read_says_the_same(client: AsyncOpenAI) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 1_000_000}]
    with pytest.raises(openai.BadRequestError) as raised:
        await client.chat.completions.create(model="cheap", messages=long)
    assert raised.value.code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_model_that_refuses_is_a_server_error_without_its_words(
    client: AsyncOpenAI, server: OpenAiStandIn, status: int, stream: bool
) -> None:
    server.will(*[Behaviour(status=status)] * 4)
    with pytest.raises(openai.InternalServerError) as raised:
        await client.chat.completions.create(model="cheap", messages=ASKED, stream=stream)
    assert raised.value.status_code in {502, 503}
    assert raised.value.type == "server_error"
    assert "secret" not in raised.value.message


async def test_a_stream_that_breaks_off_raises_in_the_middle(client: AsyncOpenAI, server: OpenAiStandIn) -> None:
    server.will(Behaviour("one two three four", cut_after=2))
    stream = aiter(await client.chat.completions.create(model="cheap", messages=ASKED, stream=True))
    assert text_of([await anext(stream) for _ in range(3)]) == "one two "
    with pytest.raises(openai.APIError) as raised:
        await anext(stream)
    assert raised.value.code == "upstream_failed"


async def test_closing_a_stream_closes_the_one_to_the_model(client: AsyncOpenAI, server: OpenAiStandIn) -> None:
    server.will(Behaviour("one two three", stall_after=1))
    stream = await client.chat.completions.create(model="cheap", messages=ASKED, stream=True)
    assert await anext(aiter(stream))
    await stream.close()
    await asyncio.wait_for(server.completions[0].disconnected.wait(), 5)


async def test_leaving_before_the_reply_closes_the_one_to_the_model_too(
    client: AsyncOpenAI, server: OpenAiStandIn
) -> None:
    server.will(Behaviour("one two three", stall_after=1))
    asked = asyncio.create_task(client.chat.completions.create(model="cheap", messages=ASKED))
    await asyncio.wait_for(server.asked.wait(), 5)
    asked.cancel()
    await asyncio.wait_for(server.completions[0].disconnected.wait(), 5)
    await asyncio.wait({asked})


async def test_the_list_of_models_suits_openais_clients_and_ours(client: AsyncOpenAI, url: str) -> None:
    models = [model async for model in client.models.list()]
    assert [model.id for model in models] == ["gpt-4o", "gpt-4o-mini", "playbook"]
    assert {(model.object, model.owned_by) for model in models} == {("model", "scriza")}
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}) as plain:
        listed = (await plain.get(f"{url}/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["policy"] for model in listed["data"]] == ["critical", "cheap", "fallback"]


# ---- the whole application --------------------------------------------------------------------------------------


@asynccontextmanager
async def running_application(folder: Path, store: StoreOptions, **settings: Any) -> AsyncIterator[AsyncOpenAI]:
    told = {"mongo_url": store.url, "mongo_database": store.database, "modules": "llm"}
    container = container_of(load(data_dir=folder, **told | settings))
    async with serving(application(container)) as url:
        key = container.secrets().service_token
        async with AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0, timeout=20) as client:
            yield client


async def test_the_application_answers_from_the_playbook_without_a_key(
    tmp_path: Path, store_options: StoreOptions
) -> None:
    async with running_application(tmp_path, store_options) as client:
        assert [model.id async for model in client.models.list()] == ["playbook"]
        for model in ("critical", "cheap", "playbook"):
            reply = await client.chat.completions.create(model=model, messages=ASKED, extra_body=SCRIPT)
            assert (reply.model, reply.choices[0].message.content) == ("playbook", "When may I call back?")
        assert text_of(await chunks_of(client, extra_body=SCRIPT)) == "When may I call back?"
        with pytest.raises(openai.InternalServerError, match="no language model is configured"):
            await client.chat.completions.create(model="cheap", messages=ASKED)


async def test_the_application_answers_by_a_model_and_from_the_script_when_it_fails(
    tmp_path: Path, store_options: StoreOptions, server: OpenAiStandIn
) -> None:
    keys = {"openai_api_key": "sk-key", "openai_base_url": server.url}
    async with running_application(tmp_path, store_options, **keys) as client:
        reply = await client.chat.completions.create(model="critical", messages=ASKED)
        assert (reply.model, reply.choices[0].message.content) == ("gpt-4o", "No problem. When suits you better?")
        assert text_of(await chunks_of(client)) == "No problem. When suits you better?"
        server.default = Behaviour(status=500)
        failed = await client.chat.completions.create(model="cheap", messages=ASKED[1:], extra_body=SCRIPT)
        assert (failed.model, failed.choices[0].message.content) == ("playbook", "When may I call back?")


async def test_without_credit_a_client_reads_the_code_that_it_knows(server: OpenAiStandIn) -> None:
    engine = OpenAiEngine("sk-key", base_url=server.url)
    critical, cheap = (Route((Upstream(engine, model),)) for model in ("gpt-4o", "gpt-4o-mini"))
    service = LlmService(Told(), critical=critical, cheap=cheap, credit=Purse(seconds=0).check)
    async with (
        _serving(service) as url,
        AsyncOpenAI(api_key=TOKEN, base_url=f"{url}/v1", max_retries=0, timeout=20) as client,
    ):
        for stream in (False, True):
            with pytest.raises(openai.APIStatusError) as refused:
                await client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=stream)
            assert refused.value.status_code == 402
            assert (refused.value.code, refused.value.type) == ("insufficient_quota", "insufficient_quota")
    assert server.requests == []
