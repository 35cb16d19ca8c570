"""What was used, as the modules that use it tell it: the data of the `usage.*` events.

Each event's key is the request id under which the work was done (`kernel.principal.current().request_id`), so that a
repeated request is counted once.
"""

import msgspec


class LlmUsed(msgspec.Struct, frozen=True):
    """One completion. A completion from the cache has `cached` set and cost nothing upstream."""

    call_id: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached: bool
    estimated: bool
    """The model's server told no usage; the tokens are counted by us."""


class TtsUsed(msgspec.Struct, frozen=True):
    """One clip. `characters` were synthesised, or saved when `cached`."""

    call_id: str
    engine: str
    voice_id: str
    characters: int
    cached: bool


class AsrUsed(msgspec.Struct, frozen=True):
    """One utterance or recording."""

    call_id: str
    engine: str
    audio_ms: int
