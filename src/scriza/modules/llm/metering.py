"""What a completion used and what that cost, told as events."""

from scriza.kernel.clock import WallClock
from scriza.kernel.principal import RequestContext
from scriza.modules.llm.playbook_engine import PLAYBOOK
from scriza.modules.llm.prices import Prices
from scriza.ports.events import Teller
from scriza.ports.llm import Turn, UsagePiece
from scriza.ports.tokens import estimated_usage
from scriza.ports.usage import LlmUsed, usage_event


class Meter:
    """Tells usage to `teller`, under the id of the request that asked, with its cost by `prices`."""

    def __init__(self, teller: Teller, prices: Prices, clock: WallClock) -> None:
        self._teller, self._prices, self._clock = teller, prices, clock

    def tell(
        self,
        request: Turn,
        asked: RequestContext,
        model: str,
        usage: UsagePiece,
        *,
        cached: bool = False,
        part: str = "",
    ) -> None:
        """One completion for `request`; `part` names one of several that were made for it."""
        free = cached or model == PLAYBOOK
        price = None if free else self._prices.of(model)
        used = LlmUsed(
            call_id=asked.call_id or request.conversation_id,
            model=model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached=cached,
            estimated=usage.estimated,
            cached_prompt_tokens=usage.cached_prompt_tokens,
            cost_micro_usd=0 if free else price.of(usage) if price else None,
            prices=price.table if price else "",
        )
        self._teller.tell(usage_event(used, asked, self._clock(), part=part))


def counted(prompt: Turn, completion: str, told: UsagePiece | None) -> UsagePiece:
    """What was used: as the model's server told it, or by our own estimate."""
    if told is not None:
        return told
    usage = estimated_usage(prompt.messages, completion)
    return UsagePiece(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, estimated=True)
