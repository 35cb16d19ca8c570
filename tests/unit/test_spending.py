"""What a call may spend on models, and what an answer has cost."""

import pytest

from scriza.kernel.errors import Unavailable
from scriza.modules.agent.spending import Prices, means
from scriza.ports.llm import Model, ModelPrice, Models, UsagePiece
from scriza.ports.playbook import ModelPolicy

USED = UsagePiece(1_000, 100, 1_100, cached_prompt_tokens=400)
PRICE = ModelPrice(prompt=2_000_000, cached_prompt=1_000_000, completion=8_000_000, table="t1")
COST = 600 * 2 + 400 + 100 * 8


class PriceList:
    """The llm port's list of models, which may not be there."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: Exception | None = None

    async def models(self) -> Models:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Models([Model("gpt", "cheap", "openai", price=PRICE), Model("own", "cheap", "openai")])


@pytest.mark.parametrize(
    ("budget", "spent", "left"),
    [(0, 10**9, "plenty"), (1_000, 0, "plenty"), (1_000, 799, "plenty"), (1_000, 800, "short"), (1_000, 1_000, "none")],
)
def test_a_call_is_short_of_means_from_four_fifths_of_its_budget_on(budget: int, spent: int, left: str) -> None:
    assert means(ModelPolicy(budget_micro_usd=budget), spent) == left


async def test_an_answer_costs_what_the_llm_port_says_and_is_not_asked_for_each_time() -> None:
    told, now = PriceList(), [0.0]
    prices = Prices(told, lambda: now[0])  # type: ignore[arg-type]
    assert [await prices.cost_micro_usd("gpt", USED, cached=False) for _ in range(3)] == [COST] * 3
    assert told.asked == 1
    now[0] = 301.0
    await prices.cost_micro_usd("gpt", USED, cached=False)
    assert told.asked == 2


async def test_what_was_kept_or_has_no_price_costs_nothing() -> None:
    prices = Prices(PriceList())  # type: ignore[arg-type]
    assert await prices.cost_micro_usd("gpt", USED, cached=True) == 0
    assert await prices.cost_micro_usd("own", USED, cached=False) == 0
    assert await prices.cost_micro_usd("script", UsagePiece(0, 0, 0), cached=False) == 0


async def test_the_old_prices_hold_while_nobody_tells_new_ones() -> None:
    told, now = PriceList(), [0.0]
    prices = Prices(told, lambda: now[0])  # type: ignore[arg-type]
    await prices.cost_micro_usd("gpt", USED, cached=False)
    told.failure, now[0] = Unavailable("restarting"), 301.0
    assert await prices.cost_micro_usd("gpt", USED, cached=False) == COST
