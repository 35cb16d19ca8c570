"""The OpenAI adapter against a server on loopback that behaves as badly as servers do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
import pytest

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, TooLarge
from scriza.ports.llm import Message, ModelRefused, Policy, TextPiece, Tool, ToolCall, ToolPiece, Turn, UsagePiece
from scriza_adapters.openai.engine import OpenAiEngine, Timeouts
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.waiting import eventually

KEY = "sk-of-the-test"


@pytest.fixture
async def server() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn() as running:
        yield running


@pytest.fixture
async def engine(server: OpenAiStandIn) -> AsyncIterator[OpenAiEngine]:
    engine = OpenAiEngine(KEY, base_url=server.url)
    yield engine
    await engine.close()


@pytest.fixture
async def impatient(server: OpenAiStandIn) -> AsyncIterator[OpenAiEngine]:
    engine = OpenAiEngine(KEY, base_url=server.url, timeouts=Timeouts(read_s=0.3))
    yield engine
    await engine.close()


def turn(**fields: object) -> Turn:
    return msgspec.structs.replace(Turn([Message("user", "how much is it")]), **fields)


async def pieces(engine: OpenAiEngine, asked: Turn | None = None) -> list[TextPiece | ToolPiece | UsagePiece]:
    return [piece async for piece in engine.stream("gpt-test", asked or turn())]


async def failure(engine: OpenAiEngine) -> ScrizaError:
    with pytest.raises(ScrizaError) as raised:
        await pieces(engine)
    return raised.value


async def test_text_comes_in_pieces_and_usage_last(engine: OpenAiEngine, server: OpenAiStandIn) -> None:
    server.will(Behaviour(text="Nineteen dollars a month.", usage=(31, 5)))
    *text, usage = await pieces(engine)
    assert text == [TextPiece("Nineteen "), TextPiece("dollars "), TextPiece("a "), TextPiece("month.")]
    assert usage == UsagePiece(31, 5, 36)


async def test_a_server_that_tells_no_usage_gives_none(engine: OpenAiEngine, server: OpenAiStandIn) -> None:
    server.will(Behaviour(usage=None))
    assert all(isinstance(piece, TextPiece) for piece in await pieces(engine))


async def test_the_pieces_of_tool_calls_are_put_together(engine: OpenAiEngine, server: OpenAiStandIn) -> None:
    server.will(Behaviour(text="", tool_calls=[("set_outcome", '{"outcome": "won"}'), ("end_call", "{}")]))
    calls = [piece for piece in await pieces(engine) if isinstance(piece, ToolPiece)]
    assert calls == [
        ToolPiece("call_0", "set_outcome", '{"outcome": "won"}'),
        ToolPiece("call_1", "end_call", "{}"),
    ]


async def test_the_conversation_arrives_in_the_shape_that_chat_models_take(
    engine: OpenAiEngine, server: OpenAiStandIn
) -> None:
    asked = turn(
        messages=[
            Message("system", "Be kind."),
            Message("user", "bye"),
            Message("assistant", tool_calls=[ToolCall("c1", "end_call", "{}")]),
            Message("tool", "done", tool_call_id="c1"),
        ],
        tools=[Tool("end_call", "Ends the call.", {"type": "object"})],
        policy=Policy(temperature=0.2, max_tokens=99),
    )
    await pieces(engine, asked)
    (request,) = server.completions
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "model": "gpt-test",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "max_tokens": 99,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "bye"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "end_call", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "done", "tool_call_id": "c1"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "end_call", "description": "Ends the call.", "parameters": {"type": "object"}},
            }
        ],
    }


async def test_a_model_that_takes_no_temperature_is_asked_without_one_and_from_then_on_at_once(
    engine: OpenAiEngine, server: OpenAiStandIn
) -> None:
    error = {"message": "m", "type": "invalid_request_error", "param": "temperature", "code": "unsupported_value"}
    both_asked = asyncio.Event()
    refusal = Behaviour(status=400, body=json.dumps({"error": error}), until=both_asked)
    server.will(refusal, refusal)

    async def ask(model: str) -> None:
        assert [piece async for piece in engine.stream(model, turn())]

    asking = asyncio.gather(ask("reasons"), ask("reasons"))
    await eventually(lambda: len(server.completions) == 2, seconds=20)
    both_asked.set()
    await asking
    await ask("reasons")
    await ask("gpt-test")
    told = [(request.body["model"], "temperature" in request.body) for request in server.completions]
    assert told == [*[("reasons", True)] * 2, *[("reasons", False)] * 3, ("gpt-test", True)]


async def test_turns_share_one_connection_also_with_the_warm_up(engine: OpenAiEngine, server: OpenAiStandIn) -> None:
    await engine.warm_up()
    for _ in range(3):
        await pieces(engine)
    assert len({request.port for request in server.requests}) == 1
    assert [request.path for request in server.requests] == ["/v1/models"] + ["/v1/chat/completions"] * 3


async def test_closing_the_stream_closes_the_one_to_the_model_at_once(
    engine: OpenAiEngine, server: OpenAiStandIn
) -> None:
    server.will(Behaviour(stall_after=2))
    async with aclosing(engine.stream("gpt-test", turn())) as stream:
        await anext(stream)
    await asyncio.wait_for(server.requests[0].disconnected.wait(), 5)


async def test_cancelling_the_reader_closes_the_stream_to_the_model_at_once(
    engine: OpenAiEngine, server: OpenAiStandIn
) -> None:
    server.will(Behaviour(stall_after=2))
    await engine.warm_up()
    reading = asyncio.create_task(pieces(engine))
    await asyncio.wait_for(server.asked.wait(), 5)
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    await asyncio.wait_for(server.completions[0].disconnected.wait(), 5)


async def test_a_stall_before_the_first_token_is_a_deadline(impatient: OpenAiEngine, server: OpenAiStandIn) -> None:
    server.will(Behaviour(first_token_s=60))
    assert isinstance(await failure(impatient), DeadlineExceeded)


async def test_a_stall_in_mid_stream_is_a_deadline(impatient: OpenAiEngine, server: OpenAiStandIn) -> None:
    server.will(Behaviour(stall_after=3))
    assert isinstance(await failure(impatient), DeadlineExceeded)


async def test_a_server_that_dawdles_after_its_answer_is_not_waited_for(
    engine: OpenAiEngine, server: OpenAiStandIn
) -> None:
    server.will(Behaviour(linger_s=60))
    async with asyncio.timeout(5):
        assert isinstance((await pieces(engine))[-1], UsagePiece)
    await asyncio.wait_for(server.completions[0].disconnected.wait(), 5)


@pytest.mark.parametrize("how", [Behaviour(cut_after=3), Behaviour(end_after=3), Behaviour(end_after=0)])
async def test_an_answer_that_breaks_off_is_a_failure(
    engine: OpenAiEngine, server: OpenAiStandIn, how: Behaviour
) -> None:
    server.will(how)
    assert type(await failure(engine)) is ModelRefused


@pytest.mark.parametrize(
    "body",
    [
        "data: {not json\n\n",
        "data: 5\n\n",
        "data: null\n\n",
        "data: []\n\n",
        'data: {"choices": 7}\n\n',
        'data: {"choices": [7]}\n\n',
        'data: {"choices": [{"delta": null, "finish_reason": null}]}\n\n',
        'data: {"choices": [{"delta": {"content": {"a": 1}}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]}\n\n',
        'data: {"error": {"message": "private"}}\n\n',
        "<html>502</html>",
        "\x00\x01\x02",
    ],
)
async def test_garbage_is_a_failure_of_the_server(engine: OpenAiEngine, server: OpenAiStandIn, body: str) -> None:
    server.will(Behaviour(body=body))
    assert type(await failure(engine)) is ModelRefused


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_refusal_is_not_retried_and_its_text_is_not_handed_on(
    engine: OpenAiEngine, server: OpenAiStandIn, status: int
) -> None:
    server.will(Behaviour(status=status))
    error = await failure(engine)
    assert type(error) is ModelRefused
    assert str(status) in error.detail
    assert "secret" not in error.detail
    assert "private" not in error.detail
    assert len(server.completions) == 1


async def test_a_server_at_its_limit_says_when_to_come_back(engine: OpenAiEngine, server: OpenAiStandIn) -> None:
    server.will(Behaviour(status=429, headers={"retry-after": "7"}))
    assert (await failure(engine)).retry_after == 7


async def test_a_conversation_beyond_the_models_context_is_too_large(
    engine: OpenAiEngine, server: OpenAiStandIn
) -> None:
    server.will(Behaviour(status=400, body='{"error": {"message": "m", "code": "context_length_exceeded"}}'))
    assert isinstance(await failure(engine), TooLarge)


async def test_a_server_that_is_not_there_is_a_failure_without_its_address() -> None:
    engine = OpenAiEngine(KEY, base_url="http://127.0.0.1:9/v1")
    error = await failure(engine)
    assert type(error) is ModelRefused
    assert "127.0.0.1" not in error.detail
    await engine.close()
