"""A bad day at the model's server: what the caller of the port gets, what the log says, and that nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import structlog

from scriza.kernel.breaker import Tolerance
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, UpstreamFailed
from scriza.modules.llm.engine import Patience, Route, Upstream
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Message, ModelRefused, ScriptLine, TextPiece, Turn
from scriza.ports.usage import LlmUsed
from scriza_adapters.openai.engine import OpenAiEngine, Timeouts
from tests import waiting
from tests.standins.certificates import self_signed
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.standins.teller import Told

KEY = "sk-of-the-test"
TURN = Turn([Message("user", "what does it cost")])
WITH_SCRIPT = msgspec.structs.replace(TURN, script=[ScriptLine("price", "Nineteen dollars.")])
PATIENCE = Patience(hedge_s=8, first_token_s=9, first_token_alone_s=9, next_token_s=9)
IMPATIENCE = Patience(hedge_s=0.3, first_token_s=0.7, first_token_alone_s=0.7)
NO_STALLS = msgspec.structs.replace(PATIENCE, next_token_s=0.3)
A_SECOND_MODEL = msgspec.structs.replace(PATIENCE, hedge_s=0.3)


class Day(NamedTuple):
    server: OpenAiStandIn
    llm: LlmService
    told: Told
    lines: list[structlog.typing.EventDict]

    @property
    def failures(self) -> list[structlog.typing.EventDict]:
        return [line for line in self.lines if line["event"] == "provider.failed"]


@asynccontextmanager
async def a_day(
    default: Behaviour | None = None,
    *,
    url: str = "",
    models: tuple[str, ...] = ("gpt-4o",),
    patience: Patience = PATIENCE,
) -> AsyncIterator[Day]:
    """The module in front of a server. At the end nothing is under way and no connection is open."""
    before = asyncio.all_tasks()
    async with OpenAiStandIn(default) as server:
        engine = OpenAiEngine(KEY, base_url=url or server.url, timeouts=Timeouts(connect_s=2, read_s=20))
        route = Route(tuple(Upstream(engine, model) for model in models), patience)
        told = Told()
        llm = LlmService(told, critical=route, cheap=route, cache_ttl_s=0, tolerance=Tolerance(failures=3))
        with suppress(ScrizaError):
            await llm.warm_up()
        with structlog.testing.capture_logs() as lines:
            yield Day(server, llm, told, lines)
        assert not any(secret in str(lines) for secret in (KEY, "sk-secret", "private", "what does it cost"))
        await eventually(lambda: server.open_connections <= 1, "a request left its connection open")
        await llm.close()
        await eventually(lambda: server.open_connections == 0, "a connection outlived its client")
    await eventually(lambda: asyncio.all_tasks() <= before, "a task outlived its turn")


async def eventually(condition: Callable[[], bool], otherwise: str) -> None:
    with suppress(TimeoutError):
        await waiting.eventually(condition)
    assert condition(), otherwise


REFUSALS = [
    pytest.param(Behaviour(status=401, code="invalid_api_key"), "invalid_api_key", id="a wrong key"),
    pytest.param(Behaviour(status=401), "status_401", id="a wrong key without a code"),
    pytest.param(Behaviour(status=402, code="payment_required"), "payment_required", id="no credit"),
    pytest.param(Behaviour(status=429, code="insufficient_quota"), "insufficient_quota", id="no quota"),
    pytest.param(Behaviour(status=429, code="rate_limit_exceeded"), "rate_limit_exceeded", id="too many requests"),
    pytest.param(
        Behaviour(status=429, headers={"retry-after": "7"}), "status_429", id="too many requests, come back later"
    ),
    pytest.param(Behaviour(status=404, code="model_not_found"), "model_not_found", id="no such model"),
    pytest.param(Behaviour(status=500), "status_500", id="an internal error"),
    pytest.param(Behaviour(status=503, body="<html>busy</html>"), "status_503", id="an error that is a page"),
    pytest.param(Behaviour(status=500, code="sk-secret said"), "status_500", id="a code that is none"),
    pytest.param(Behaviour(body="<html>"), "cut_off", id="a page that calls itself a stream"),
    pytest.param(Behaviour(body="<html>", headers={"content-type": "text/html"}), "wrong_content_type", id="a page"),
    pytest.param(Behaviour(body="data: {not json\n\n"), "not_a_completion", id="broken JSON"),
    pytest.param(Behaviour(body='data: {"error": {"message": "private"}}\n\n'), "error_event", id="an error event"),
    pytest.param(Behaviour(""), "empty_completion", id="an empty completion"),
    pytest.param(Behaviour(cut_after=0), "cut_off", id="a connection cut before the first word"),
]


@pytest.mark.parametrize(("behaviour", "code"), REFUSALS)
async def test_a_refusal_is_told_by_its_code_in_one_line(behaviour: Behaviour, code: str) -> None:
    async with a_day() as day:
        day.server.will(behaviour)
        with pytest.raises(ModelRefused) as raised:
            await day.llm.turn(TURN)
        assert raised.value.code == code
        (line,) = day.lines
        assert (line["event"], line["provider"], code in line["detail"]) == ("provider.failed", "openai", True)
        assert day.told.events == []


@pytest.mark.parametrize(("behaviour", "code"), REFUSALS)
async def test_a_refusal_with_a_script_still_ends_in_speech(behaviour: Behaviour, code: str) -> None:
    async with a_day() as day:
        day.server.will(behaviour)
        reply = await day.llm.turn(WITH_SCRIPT)
        assert (reply.text, reply.model) == ("Nineteen dollars.", "playbook")
        assert [line["detail"] for line in day.failures if code not in line["detail"]] == []


@pytest.mark.parametrize(("behaviour", "code"), REFUSALS)
async def test_a_refusal_with_another_model_behind_it_is_not_noticed(behaviour: Behaviour, code: str) -> None:
    async with a_day(models=("gpt-4o", "gpt-4o-mini")) as day:
        day.server.will(behaviour)
        assert (await day.llm.turn(WITH_SCRIPT)).model == "gpt-4o-mini"
        assert [request.body["model"] for request in day.server.completions] == ["gpt-4o", "gpt-4o-mini"]


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Behaviour(headers_s=60), id="no status line"),
        pytest.param(Behaviour(first_token_s=60), id="no first token"),
        pytest.param(Behaviour(stall_after=0), id="a role and nothing else"),
    ],
)
async def test_a_server_that_is_silent_is_given_up_and_what_it_may_have_done_is_metered(behaviour: Behaviour) -> None:
    async with a_day(patience=IMPATIENCE) as day:
        day.server.will(behaviour, behaviour)
        with pytest.raises(DeadlineExceeded):
            await day.llm.turn(TURN)
        assert (await day.llm.turn(WITH_SCRIPT)).model == "playbook"
        assert day.server.completions[0].disconnected.is_set()
        assert [(line["event"], line["reason"]) for line in day.lines] == [
            ("provider.failed", "deadline-exceeded"),
            ("llm.playbook_answers", "deadline-exceeded"),
            ("provider.failed", "deadline-exceeded"),
        ]
        used = [msgspec.json.decode(event.data, type=LlmUsed) for event in day.told.events]
        assert [(entry.model, entry.estimated, entry.completion_tokens > 0) for entry in used] == [
            ("gpt-4o", True, False),
            ("gpt-4o", True, False),
            ("playbook", True, True),
        ]


@pytest.mark.parametrize(
    ("behaviour", "failure", "patience"),
    [
        pytest.param(Behaviour(stall_after=2), DeadlineExceeded, NO_STALLS, id="a stall"),
        pytest.param(Behaviour(cut_after=2), UpstreamFailed, PATIENCE, id="a cut"),
        pytest.param(Behaviour(end_after=2), UpstreamFailed, PATIENCE, id="an end too early"),
    ],
)
async def test_an_answer_that_breaks_off_is_metered_as_far_as_it_came_and_never_begun_again(
    behaviour: Behaviour, failure: type[ScrizaError], patience: Patience
) -> None:
    async with a_day(models=("gpt-4o", "gpt-4o-mini"), patience=patience) as day:
        day.server.will(behaviour)
        parts = day.llm.stream_turn(WITH_SCRIPT)
        assert [await anext(parts), await anext(parts)] == [TextPiece("Sure, "), TextPiece("I ")]
        with pytest.raises(failure):
            await anext(parts)
        assert len(day.server.completions) == 1
        assert len(day.lines) == 1
        (used,) = (msgspec.json.decode(event.data, type=LlmUsed) for event in day.told.events)
        assert (used.model, used.estimated, used.completion_tokens) == ("gpt-4o", True, 2)
        assert used.cost_micro_usd is not None
        assert used.cost_micro_usd > 0


async def test_nobody_at_the_address_is_a_failure_at_once() -> None:
    async with OpenAiStandIn() as gone:
        url = gone.url
    async with a_day(url=url) as day:
        with pytest.raises(ModelRefused) as raised:
            await day.llm.turn(TURN)
        assert raised.value.code == "connection_failed"
        assert "127.0.0.1" not in str(day.lines)


async def test_a_certificate_that_nobody_signed_is_a_failure_of_its_own(tmp_path: Path) -> None:
    async with OpenAiStandIn(tls=self_signed(tmp_path)) as insecure, a_day(url=insecure.url) as day:
        with pytest.raises(ModelRefused) as raised:
            await day.llm.turn(TURN)
        assert raised.value.code == "tls_failed"
        assert insecure.requests == []


async def test_a_burst_of_errors_is_not_asked_for_more_and_the_server_is_tried_again_later() -> None:
    async with a_day(Behaviour(status=500)) as day:
        for _ in range(10):
            assert (await day.llm.turn(WITH_SCRIPT)).model == "playbook"
        assert len(day.server.completions) == 3
        assert len(day.failures) == 3
        assert (await day.llm.models()).data[0].state == "open"


async def test_a_server_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    async with a_day(models=("gpt-4o", "gpt-4o-mini")) as day:
        day.server.will(Behaviour(status=429, headers={"retry-after": "60"}))
        for _ in range(3):
            assert (await day.llm.turn(TURN)).model == "gpt-4o-mini"
        assert [request.body["model"] for request in day.server.completions].count("gpt-4o") == 1


async def test_a_slow_server_is_answered_for_by_the_other_and_its_connection_is_closed_at_once() -> None:
    async with a_day(models=("gpt-4o", "gpt-4o-mini"), patience=A_SECOND_MODEL) as day:
        day.server.will(Behaviour(first_token_s=60), Behaviour("From the other one."))
        async for part in day.llm.stream_turn(TURN):
            if isinstance(part, TextPiece) and "From" in part.text:
                await asyncio.wait_for(day.server.completions[0].disconnected.wait(), 5)
        used = [msgspec.json.decode(event.data, type=LlmUsed) for event in day.told.events]
        assert [(entry.model, entry.estimated) for entry in used] == [("gpt-4o", True), ("gpt-4o-mini", False)]


async def test_the_prompts_tokens_that_the_server_had_in_its_cache_are_told_and_cost_less() -> None:
    async with a_day() as day:
        day.server.will(Behaviour(usage=(1000, 10), cached_tokens=800))
        await day.llm.turn(TURN)
        (used,) = (msgspec.json.decode(event.data, type=LlmUsed) for event in day.told.events)
        assert (used.prompt_tokens, used.cached_prompt_tokens, used.completion_tokens) == (1000, 800, 10)
        assert used.cost_micro_usd == (200 * 2_500_000 + 800 * 1_250_000 + 10 * 10_000_000) // 1_000_000


async def test_a_wrong_key_is_told_at_start_by_the_name_of_its_variable() -> None:
    async with OpenAiStandIn(key="another") as server:
        engine = OpenAiEngine(KEY, base_url=server.url, key_name="OPENAI_API_KEY_CHEAP")
        route = Route((Upstream(engine, "gpt-4o-mini"),))
        llm = LlmService(Told(), critical=route, cheap=route)
        with structlog.testing.capture_logs() as lines:
            await llm.warm_up()
        (line,) = [line for line in lines if line["log_level"] == "error"]
        assert line["event"] == "llm.warm_up_failed"
        assert "OPENAI_API_KEY_CHEAP is not accepted" in line["detail"]
        assert KEY not in str(lines)
        await llm.close()
