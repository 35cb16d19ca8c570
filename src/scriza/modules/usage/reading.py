"""Events as what was used: how much of what, for which call, at what cost. Pure."""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from scriza.kernel.errors import BadInput
from scriza.kernel.events import Event, Topic
from scriza.modules.usage.account import Entry
from scriza.modules.usage.prices import PriceTable
from scriza.ports.telephony import CallCompleted
from scriza.ports.usage import AsrUsed, LlmUsed, TtsUsed

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

    def less(self, other: "Quantities") -> "Quantities":
        """By how much of each thing the other one is exceeded; below zero where it has more."""
        return Quantities(**{name: getattr(self, name) - getattr(other, name) for name in self.__struct_fields__})


UsageData = LlmUsed | TtsUsed | AsrUsed | CallCompleted
"""What the events tell."""


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
    data: UsageData
    """What the event tells, without its caller: of this the cost can be computed again."""
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
    data = _data(event)
    kind, item, agent, quantities = _priced(data, prices)
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
        data=data,
        prices=prices.version,
    )


def again(used: Used, prices: PriceTable) -> Used:
    """The same event by other prices."""
    _, _, _, quantities = _priced(used.data, prices)
    return msgspec.structs.replace(used, quantities=quantities, prices=prices.version)


def read_data(kind: Kind, data: bytes) -> UsageData:
    """What an event has told, from JSON. Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=_KINDS[kind])


_Read = tuple[Kind, str, str, Quantities]


def _priced(data: UsageData, prices: PriceTable) -> _Read:
    match data:
        case LlmUsed():
            return _llm(data, prices)
        case TtsUsed():
            return _tts(data, prices)
        case AsrUsed():
            return "asr", data.engine, "", Quantities(audio_ms=data.audio_ms, cost_micro_usd=prices.of_asr(data))
        case CallCompleted():
            return _call(data, prices)


def _llm(used: LlmUsed, prices: PriceTable) -> _Read:
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


def _tts(used: TtsUsed, prices: PriceTable) -> _Read:
    if used.cached:
        would_cost = prices.of_tts(msgspec.structs.replace(used, cached=False))
        quantities = Quantities(cached_characters=used.characters, saved_micro_usd=would_cost)
    else:
        quantities = Quantities(characters=used.characters, cost_micro_usd=prices.of_tts(used))
    return "tts", used.engine, "", quantities


def _call(call: CallCompleted, prices: PriceTable) -> _Read:
    quantities = Quantities(calls=1, call_seconds=call.duration_seconds, cost_micro_usd=prices.of_call(call))
    return "call", call.direction, call.playbook, quantities


_KINDS: dict[Kind, type[UsageData]] = {"llm": LlmUsed, "tts": TtsUsed, "asr": AsrUsed, "call": CallCompleted}
_TOLD: dict[Topic, Kind] = {
    Topic.USAGE_LLM: "llm",
    Topic.USAGE_TTS: "tts",
    Topic.USAGE_ASR: "asr",
    Topic.CALL_COMPLETED: "call",
}
TOPICS = frozenset(_TOLD)


def _data(event: Event) -> UsageData:
    try:
        data = read_data(_TOLD[event.type], event.data)
    except msgspec.DecodeError as error:
        raise BadInput(f"the data of {event.type} is not what it should be: {error}") from None
    return msgspec.structs.replace(data, caller="") if isinstance(data, CallCompleted) else data
