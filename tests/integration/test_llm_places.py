"""From settings to who answers: which models, at which servers, with which keys, and in which order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scriza.factories import thinking
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Message, Policy, ScriptLine, Turn
from scriza.settings import BadSettings, environment_name, load
from tests.standins.openai import Behaviour, OpenAiStandIn
from tests.standins.teller import Told

DOWN = Behaviour(status=500)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in thinking_fields():
        monkeypatch.delenv(environment_name(field), raising=False)
    monkeypatch.chdir(tmp_path)


def thinking_fields() -> list[str]:
    from scriza.settings.thinking import Thinking

    return list(Thinking.model_fields)


@pytest.fixture
async def one() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn() as server:
        yield server


@pytest.fixture
async def other() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn() as server:
        yield server


@asynccontextmanager
async def made(**fields: object) -> AsyncIterator[LlmService]:
    given = {"llm_cache_ttl_seconds": 0, "llm_first_token_ms": 9_000, "llm_give_up_ms": 9_000, **fields}
    service = thinking.llm(load(**given), Told())
    yield service
    await service.close()


def turn(*, critical: bool) -> Turn:
    return Turn([Message("user", "hi")], policy=Policy(critical=critical))


def asked(server: OpenAiStandIn) -> list[tuple[object, str]]:
    """Model and key of each completion that a server was asked for."""
    return [
        (request.body["model"], request.headers["authorization"].removeprefix("Bearer "))
        for request in server.completions
    ]


async def test_both_models_are_at_the_common_place_and_share_a_connection(one: OpenAiStandIn) -> None:
    async with made(openai_api_key="sk-1", openai_base_url=one.url) as llm:
        await llm.turn(turn(critical=True))
        await llm.turn(turn(critical=False))
    assert asked(one) == [("gpt-4o", "sk-1"), ("gpt-4o-mini", "sk-1")]
    assert len({request.port for request in one.requests}) == 1


async def test_a_model_may_have_a_server_and_a_key_of_its_own(one: OpenAiStandIn, other: OpenAiStandIn) -> None:
    places = {"openai_base_url": one.url, "openai_base_url_critical": other.url, "openai_api_key_critical": "sk-2"}
    async with made(openai_api_key="sk-1", **places) as llm:
        await llm.turn(turn(critical=True))
        await llm.turn(turn(critical=False))
    assert (asked(other), asked(one)) == ([("gpt-4o", "sk-2")], [("gpt-4o-mini", "sk-1")])


async def test_the_common_key_goes_to_no_server_that_it_was_not_set_for(
    one: OpenAiStandIn, other: OpenAiStandIn
) -> None:
    places = {"openai_base_url": one.url, "openai_base_url_cheap": other.url}
    async with made(openai_api_key="sk-1", llm_fallbacks_cheap=f"m@{one.url.replace('/v1', '/v2')}", **places) as llm:
        other.will(DOWN)
        await llm.turn(turn(critical=False))
    assert asked(other) == [("gpt-4o-mini", "none")]
    assert asked(one) == [("m", "none")]


async def test_a_server_of_ones_own_needs_no_key(one: OpenAiStandIn) -> None:
    async with made(openai_base_url=one.url) as llm:
        assert (await llm.turn(turn(critical=False))).model == "gpt-4o-mini"


async def test_the_cheap_model_stands_behind_the_critical_one_unless_it_is_told_not_to(one: OpenAiStandIn) -> None:
    common = {"openai_api_key": "sk-1", "openai_base_url": one.url}
    async with made(**common) as llm:
        one.will(DOWN)
        assert (await llm.turn(turn(critical=True))).model == "gpt-4o-mini"
    async with made(**common, llm_fallbacks_critical="none") as llm:
        one.will(DOWN)
        script = [ScriptLine("a", "A line.")]
        asked_ = Turn([Message("user", "hi")], policy=Policy(critical=True), script=script)
        assert (await llm.turn(asked_)).model == "playbook"


async def test_one_model_for_all_turns_is_not_asked_twice_unless_it_is_named_twice(one: OpenAiStandIn) -> None:
    same = {"openai_base_url": one.url, "openai_model_critical": "m", "openai_model_cheap": "m"}
    async with made(**same) as llm:
        assert [model.id for model in (await llm.models()).data] == ["m", "m", "playbook"]
    async with made(**same, llm_fallbacks_critical="m") as llm:
        one.will(DOWN)
        assert (await llm.turn(turn(critical=True))).model == "m"
    assert len(one.completions) == 2


async def test_fallbacks_are_asked_in_their_order_each_at_its_place(one: OpenAiStandIn, other: OpenAiStandIn) -> None:
    common = {"openai_api_key": "sk-1", "openai_base_url": one.url}
    host = urlsplit(other.url).netloc
    keys = {"llm_fallback_keys": f"elsewhere.example=sk-9, {host}=sk-3"}
    async with made(**common, **keys, llm_fallbacks_critical=f"big, large@{other.url},cheap") as llm:
        one.will(DOWN, DOWN)
        other.will(DOWN)
        assert (await llm.turn(turn(critical=True))).model == "gpt-4o-mini"
    assert asked(one) == [("gpt-4o", "sk-1"), ("big", "sk-1"), ("gpt-4o-mini", "sk-1")]
    assert asked(other) == [("large", "sk-3")]


async def test_a_fallback_at_the_other_models_server_has_that_servers_key(
    one: OpenAiStandIn, other: OpenAiStandIn
) -> None:
    places = {"openai_base_url": one.url, "openai_base_url_cheap": other.url, "openai_api_key_cheap": "sk-2"}
    async with made(openai_api_key="sk-1", llm_fallbacks_critical=f"spare@{other.url}", **places) as llm:
        one.will(DOWN)
        await llm.turn(turn(critical=True))
    assert asked(other) == [("spare", "sk-2")]


async def test_each_model_has_its_own_time_to_the_first_token(one: OpenAiStandIn) -> None:
    async with made(openai_api_key="sk-1", openai_base_url=one.url, llm_first_token_ms_cheap=300) as llm:
        told = {model.id: model.first_token_ms for model in (await llm.models()).data if model.order == 0}
    assert told == {"gpt-4o": 9_000, "gpt-4o-mini": 300, "playbook": 0}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"llm_engine": "openai"}, "needs OPENAI_API_KEY"),
        ({"openai_api_key_critical": "sk-1"}, "set OPENAI_API_KEY or OPENAI_API_KEY_CHEAP"),
        ({"openai_base_url_cheap": "http://m/v1"}, "set OPENAI_API_KEY or OPENAI_API_KEY_CRITICAL"),
        ({"openai_api_key": "k", "llm_fallbacks_cheap": "a,,b"}, "SCRIZA_LLM_FALLBACKS_CHEAP: write MODEL"),
        ({"openai_api_key": "k", "llm_fallbacks_cheap": "a b"}, "SCRIZA_LLM_FALLBACKS_CHEAP: write MODEL"),
        ({"openai_api_key": "k", "llm_fallbacks_critical": "@http://h/v1"}, "SCRIZA_LLM_FALLBACKS_CRITICAL: write"),
        ({"openai_api_key": "k", "llm_fallbacks_critical": "m@http://"}, "no host after the @"),
        ({"openai_api_key": "k", "llm_fallback_keys": "sk-very-secret"}, "SCRIZA_LLM_FALLBACK_KEYS: write HOST=KEY"),
        ({"openai_api_key": "k", "openai_model_cheap": "a model"}, "OPENAI_MODEL_CHEAP: must be a model's name"),
        ({"openai_api_key": "k", "llm_prices": "/none.json"}, "SCRIZA_LLM_PRICES: the price table /none.json cannot"),
    ],
)
def test_what_does_not_fit_together_is_told_by_name_and_without_secrets(fields: dict[str, str], told: str) -> None:
    with pytest.raises(BadSettings) as raised:
        thinking.llm(load(**fields), Told())
    assert told in str(raised.value)
    assert "sk-very-secret" not in str(raised.value)
