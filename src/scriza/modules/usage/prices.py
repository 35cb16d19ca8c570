"""What a team pays for what it used: a versioned table, and costs that can be computed again from it.

Prices are whole micro-USD for so many units; a cost is rounded once, half upwards, to whole micro-USD. What the table
does not name costs what it cost upstream, where the event tells that, else nothing.
"""

from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from scriza.kernel.errors import BadInput
from scriza.ports.telephony import CallCompleted
from scriza.ports.usage import AsrUsed, LlmUsed, TtsUsed

MicroUsd = Annotated[int, msgspec.Meta(ge=0)]

_OURS = Path(__file__).with_name("prices.json")
_MILLION, _THOUSAND, _MINUTE_MS, _MINUTE_S = 1_000_000, 1_000, 60_000, 60


class Tokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For a million tokens."""

    prompt: MicroUsd
    completion: MicroUsd
    cached_prompt: MicroUsd | None = None


class Minutes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For each minute of a call that has begun."""

    inbound: MicroUsd = 0
    outbound: MicroUsd = 0


class PriceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All prices of one version."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    models: dict[str, Tokens] = {}
    voices: dict[str, MicroUsd] = {}
    """By engine: for a thousand characters."""
    ears: dict[str, MicroUsd] = {}
    """By engine: for a minute of audio."""
    calls: Minutes = Minutes()
    number: MicroUsd = 0
    """For a phone number, a month."""

    def of_llm(self, used: LlmUsed) -> int:
        """A completion; one from our own cache costs nothing."""
        price = self.models.get(used.model)
        if used.cached:
            return 0
        if price is None:
            return used.cost_micro_usd or 0
        cached = min(used.cached_prompt_tokens, used.prompt_tokens)
        cached_price = price.prompt if price.cached_prompt is None else price.cached_prompt
        cost = (used.prompt_tokens - cached) * price.prompt + cached * cached_price
        return _rounded(cost + used.completion_tokens * price.completion, _MILLION)

    def of_tts(self, used: TtsUsed) -> int:
        """A clip; one from the cache costs nothing."""
        price = self.voices.get(used.engine)
        if used.cached:
            return 0
        return used.cost_micro_usd or 0 if price is None else _rounded(used.characters * price, _THOUSAND)

    def of_asr(self, used: AsrUsed) -> int:
        """An utterance."""
        return _rounded(used.audio_ms * self.ears.get(used.engine, 0), _MINUTE_MS)

    def of_call(self, call: CallCompleted) -> int:
        """A call's minutes at the carrier, each that has begun."""
        price = self.calls.outbound if call.direction == "outbound" else self.calls.inbound
        return -(-call.duration_seconds // _MINUTE_S) * price


@cache
def built_in() -> PriceTable:
    """The table that comes with Scriza."""
    return msgspec.json.decode(_OURS.read_bytes(), type=PriceTable)


def read_prices(path: Path) -> PriceTable:
    """A table from a JSON file. Raises BadInput for what is not one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=PriceTable)
    except OSError as error:
        raise BadInput(f"the price table {path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"the price table {path} is not one: {error}") from None


def _rounded(cost: int, units: int) -> int:
    return (cost + units // 2) // units
