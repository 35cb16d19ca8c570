"""What was used, as the modules that use it tell it: the data of the `usage.*` events."""

from datetime import datetime

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import new_id
from scriza.kernel.principal import RequestContext


class LlmUsed(msgspec.Struct, frozen=True):
    """One completion, also one that was asked for beside another and not used.

    A completion from our own cache has `cached` set and cost nothing upstream.
    """

    call_id: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached: bool
    estimated: bool
    """The model's server told no usage; the tokens are counted by us."""
    cached_prompt_tokens: int = 0
    """So many of `prompt_tokens` were in the model's own cache."""
    cost_micro_usd: int | None = None
    """Upstream; null when the model has no known price."""
    prices: str = ""
    """The version of the price table; empty where none was needed or none was known."""


class TtsUsed(msgspec.Struct, frozen=True):
    """One clip. `characters` were synthesised, or saved when `cached`."""

    call_id: str
    engine: str
    voice_id: str
    characters: int
    cached: bool
    cost_micro_usd: int | None = None
    """Upstream; null when the engine has no known price."""


class AsrUsed(msgspec.Struct, frozen=True):
    """One utterance or recording."""

    call_id: str
    engine: str
    audio_ms: int


_TOPICS = {LlmUsed: Topic.USAGE_LLM, TtsUsed: Topic.USAGE_TTS, AsrUsed: Topic.USAGE_ASR}


def usage_event(used: LlmUsed | TtsUsed | AsrUsed, asked: RequestContext, time: datetime, *, part: str = "") -> Event:
    """The event that tells of what was used for the request `asked`, at `time`.

    Its id derives from the request's id, so that a repeated request is counted once. A request that may use the same
    thing several times names the `part` of it. Work for no request at all is counted each time.
    """
    topic = _TOPICS[type(used)]
    request_id = asked.request_id or new_id("req")
    return event(
        topic,
        used,
        source=topic.value.removeprefix("usage."),
        subject=used.call_id or request_id,
        key=f"{request_id}/{part}" if part else request_id,
        time=time,
        workspace=asked.principal.workspace,
        request_id=request_id,
    )
