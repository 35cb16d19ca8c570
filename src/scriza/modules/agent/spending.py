"""What a call may spend on models: which one answers, what an answer has cost, and when it is enough."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from scriza.kernel.errors import ScrizaError
from scriza.modules.agent.decision import Decision
from scriza.ports.agent import Conversation
from scriza.ports.llm import Llm, ModelPrice, Policy, UsagePiece
from scriza.ports.playbook import ModelPolicy

_SEVERE = 4
"""Objections from this severity on are answered by the strong model."""
_PRICES_KEPT_S = 300.0
_PRICES_WITHIN_S = 0.3

Means = Literal["plenty", "short", "none"]


def means(policy: ModelPolicy, spent_micro_usd: int) -> Means:
    """How much a call has left: `short` from four fifths of its budget on, `none` when it is used up."""
    budget = policy.budget_micro_usd
    if not budget:
        return "plenty"
    if spent_micro_usd >= budget:
        return "none"
    return "short" if spent_micro_usd * 5 >= budget * 4 else "plenty"


def policy_of(policy: ModelPolicy, conversation: Conversation, decision: Decision) -> Policy:
    """The strong model where the playbook wants it, and for grave objections, while the call has plenty left."""
    meant = decision.meant
    grave = meant is not None and meant.kind == "objection" and meant.severity >= _SEVERE
    matters = grave or decision.stage.id in policy.critical_stages
    return Policy(
        critical=matters and means(policy, conversation.spent_micro_usd) == "plenty",
        temperature=policy.temperature,
        max_tokens=policy.max_tokens,
    )


class Prices:
    """What models cost, by the llm port's own table, which is asked for again now and then."""

    def __init__(self, llm: Llm, now: Callable[[], float] = time.monotonic) -> None:
        self._llm, self._now = llm, now
        self._prices: dict[str, ModelPrice] = {}
        self._asked_at: float | None = None

    async def cost_micro_usd(self, model: str, usage: UsagePiece, *, cached: bool) -> int:
        """What an answer has cost; nothing when it is from the cache, or its model's price is not known."""
        if cached or not usage.total_tokens:
            return 0
        await self._refreshed()
        price = self._prices.get(model)
        return price.of(usage) if price else 0

    async def _refreshed(self) -> None:
        """Ask again when the table is old; who does not answer in time is asked again next time."""
        if self._asked_at is not None and self._now() - self._asked_at < _PRICES_KEPT_S:
            return
        with suppress(ScrizaError, TimeoutError):
            async with asyncio.timeout(_PRICES_WITHIN_S):
                models = await self._llm.models()
            self._prices = {model.id: model.price for model in models.data if model.price is not None}
            self._asked_at = self._now()
