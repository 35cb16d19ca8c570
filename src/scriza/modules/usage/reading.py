"""Events as what was used: how much of what, for which call, at what cost. Pure."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from scriza.kernel.errors import BadInput
from scriza.kernel.events import Event, Topic
from scriza.modules.usage.account import Entry
from scriza.modules.usage.prices import PriceTable
from scriza.ports.telephony import CallCompleted
from scriza.ports.usage import AsrUsed, LlmUsed, TtsUsed

T = TypeVar("T", bound=msgspec.Struct)

TOPICS = frozenset({Topic.USAGE_LLM, Topic.USAGE_TTS, Topic.USAGE_ASR, Topic.CALL_COMPLETED})

Kind = Literal["llm", "tts", "asr", "call"]


class Quantities(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of each thing; sums of them are the same things."""

    calls: int = 0
    call_seconds: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    completion_tokens: int = 0
    completions: int = 0
    cached_completions: int = 0
    """From our own cache; their tokens are in `saved_tokens`, not above."""
    saved_tokens: int = 0
    characters: int = 0
    cached_characters: int = 0
    """Of clips from the cache."""
    audio_ms: int = 0
    cost_micro_usd: int = 0
    saved_micro_usd: int = 0
    """What the things from caches would have cost."""

    def plus(self, other: "Quantities") -> "Quantities":
        """Both together."""
        return Quantities(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """One event, read and priced. The same event read again is the same, with the same `fingerprint`."""

    event_id: str
    workspace: str
    kind: Kind
    at: datetime
    fingerprint: str
    """Of all that the event says."""
    call_id: str
    agent: str
    """What led the call: its playbook's version, where that is known."""
    item: str
    """The model, the engine, or the direction of the call."""
    quantities: Quantities
    prices: str
    """The version of the table that it was priced by."""

    def entry(self) -> Entry | None:
        """Its line in the ledger; none for what costs nothing."""
        cost = self.quantities.cost_micro_usd
        if not cost:
            return None
        kind: Literal["call", "usage"] = "call" if self.kind == "call" else "usage"
        return Entry(
            key=f"usage:{self.event_id}", kind=kind, amount=-cost, at=self.at, call_id=self.call_id, about=self.item
        )


def read(event: Event, prices: PriceTable) -> Used:
    """What an event tells of. Raises BadInput for one that does not hold what its topic says."""
    kind, item, agent, quantities = _READERS[event.type](event, prices)
    return Used(
        event_id=event.id,
        workspace=event.workspace,
        kind=kind,
        at=event.time,
        fingerprint=hashlib.sha256(
            b"\x1f".join([event.type.encode(), event.subject.encode(), event.time.isoformat().encode(), event.data])
        ).hexdigest(),
        call_id=event.call_id,
        agent=agent,
        item=item,
        quantities=quantities,
        prices=prices.version,
    )


_Read = tuple[Kind, str, str, Quantities]


def _llm(event: Event, prices: PriceTable) -> _Read:
    used = _data(event, LlmUsed)
    total = used.prompt_tokens + used.completion_tokens
    if used.cached:
        would_cost = prices.of_llm(msgspec.structs.replace(used, cached=False))
        quantities = Quantities(cached_completions=1, saved_tokens=total, saved_micro_usd=would_cost)
    else:
        quantities = Quantities(
            completions=1,
            prompt_tokens=used.prompt_tokens,
            cached_prompt_tokens=used.cached_prompt_tokens,
            completion_tokens=used.completion_tokens,
            cost_micro_usd=prices.of_llm(used),
        )
    return "llm", used.model, "", quantities


def _tts(event: Event, prices: PriceTable) -> _Read:
    used = _data(event, TtsUsed)
    if used.cached:
        would_cost = prices.of_tts(msgspec.structs.replace(used, cached=False))
        quantities = Quantities(cached_characters=used.characters, saved_micro_usd=would_cost)
    else:
        quantities = Quantities(characters=used.characters, cost_micro_usd=prices.of_tts(used))
    return "tts", used.engine, "", quantities


def _asr(event: Event, prices: PriceTable) -> _Read:
    used = _data(event, AsrUsed)
    return "asr", used.engine, "", Quantities(audio_ms=used.audio_ms, cost_micro_usd=prices.of_asr(used))


def _call(event: Event, prices: PriceTable) -> _Read:
    call = _data(event, CallCompleted)
    quantities = Quantities(calls=1, call_seconds=call.duration_seconds, cost_micro_usd=prices.of_call(call))
    return "call", call.direction, call.playbook, quantities


_READERS: dict[Topic, Callable[[Event, PriceTable], _Read]] = {
    Topic.USAGE_LLM: _llm,
    Topic.USAGE_TTS: _tts,
    Topic.USAGE_ASR: _asr,
    Topic.CALL_COMPLETED: _call,
}


def _data(event: Event, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(event.data, type=kind)
    except msgspec.DecodeError as error:
        raise BadInput(f"the data of {event.type} is not what it should be: {error}") from None
