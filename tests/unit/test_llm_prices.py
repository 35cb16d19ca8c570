"""What completions cost: whole micro-USD, from a table with a version, and never a guess."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput
from scriza.modules.llm.engine import Route, Upstream
from scriza.modules.llm.prices import Prices, built_in
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Message, ModelPrice, ScriptLine, Turn, UsagePiece
from scriza.ports.usage import LlmUsed
from tests.standins.llm_engine import Says, ScriptedEngine
from tests.standins.teller import Told
from tests.virtual_time import run_virtual

PRICE = ModelPrice(prompt=150_000, cached_prompt=75_000, completion=600_000, table="t1")


def usage(prompt: int, completion: int, cached: int = 0) -> UsagePiece:
    return UsagePiece(prompt, completion, prompt + completion, cached_prompt_tokens=cached)


@pytest.mark.parametrize(
    ("used", "cost"),
    [
        (usage(0, 0), 0),
        (usage(1_000_000, 1_000_000), 750_000),
        (usage(1_000_000, 0, cached=400_000), 120_000),
        (usage(100, 10), 21),
        (usage(3, 0), 0),
        (usage(4, 0), 1),
    ],
)
def test_tokens_are_priced_by_kind_and_rounded_to_whole_micro_dollars(used: UsagePiece, cost: int) -> None:
    assert PRICE.of(used) == cost


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_tokens_never_cost_less_and_cached_ones_never_more(prompt: int, completion: int, cached: int) -> None:
    cost = PRICE.of(usage(prompt, completion, min(cached, prompt)))
    assert 0 <= cost <= PRICE.of(usage(prompt, completion))
    assert cost <= PRICE.of(usage(prompt, completion + 1, min(cached, prompt)))


def test_a_model_that_is_not_in_the_table_has_no_price() -> None:
    assert built_in().of("gpt-4o") is not None
    assert built_in().of("gpt-4o-2031-01-01") is None


def test_a_file_goes_before_the_table_that_comes_with_scriza(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"version": "ours", "models": {"gpt-4o": {"prompt": 1, "completion": 2}}}')
    prices = built_in().with_file(file)
    assert prices.of("gpt-4o") == ModelPrice(prompt=1, cached_prompt=1, completion=2, table="ours")
    assert prices.of("gpt-4o-mini") == built_in().of("gpt-4o-mini")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": "", "models": {}}',
        '{"version": "v", "models": {"m": {"prompt": 1}}}',
        '{"version": "v", "models": {"m": {"prompt": 1.5, "completion": 1}}}',
        '{"version": "v", "models": {"m": {"prompt": -1, "completion": 1}}}',
        '{"version": "v", "models": {"m": {"prompt": 1, "completion": 1, "audio": 1}}}',
    ],
)
def test_a_file_that_is_no_price_table_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"prices\.json"):
        built_in().with_file(file)
    with pytest.raises(BadInput, match="cannot be read"):
        built_in().with_file(tmp_path / "none")


def used_by(engine: ScriptedEngine, *turns: Turn, prices: Prices) -> list[LlmUsed]:
    told = Told()
    route = Route((Upstream(engine, "m"),))

    async def scenario() -> None:
        llm = LlmService(told, critical=route, cheap=route, prices=prices)
        for turn in turns:
            await llm.turn(turn)

    run_virtual(scenario())
    return [msgspec.json.decode(event.data, type=LlmUsed) for event in told.events]


TURN = Turn([Message("user", "how much is it")])


def test_a_completion_is_told_with_its_cost_and_the_tables_version_and_a_kept_one_costs_nothing() -> None:
    engine = ScriptedEngine(Says(usage=UsagePiece(1000, 100, 1100, cached_prompt_tokens=600)))
    made, kept = used_by(engine, TURN, TURN, prices=Prices({"m": PRICE}))
    assert (made.cost_micro_usd, made.prices, made.cached_prompt_tokens) == (60 + 45 + 60, "t1", 600)
    assert (kept.cached, kept.cost_micro_usd, kept.prices) == (True, 0, "")


def test_a_completion_of_unknown_price_is_told_without_a_cost() -> None:
    (made,) = used_by(ScriptedEngine(), TURN, prices=Prices({}))
    assert (made.cost_micro_usd, made.prices) == (None, "")


def test_what_the_playbook_answers_costs_nothing() -> None:
    engine = ScriptedEngine(Says(fail_after=0, failure=BadInput("no")))
    turn = msgspec.structs.replace(TURN, script=[ScriptLine("a", "A line.")])
    (made,) = used_by(engine, turn, prices=Prices({}))
    assert (made.model, made.cost_micro_usd) == ("playbook", 0)
