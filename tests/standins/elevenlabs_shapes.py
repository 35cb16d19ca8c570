"""What the stand-in for ElevenLabs takes: the vendor's documented fields and query names, and no others."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

RATES = {"ulaw_8000": 8000, "pcm_22050": 22050, "pcm_16000": 16000}

STREAM_QUERY = {"output_format", "enable_logging", "optimize_streaming_latency"}
SOCKET_QUERY = {
    *("model_id", "output_format", "inactivity_timeout", "sync_alignment", "auto_mode", "language_code"),
    *("enable_logging", "enable_ssml_parsing", "apply_text_normalization", "seed"),
}


class Misshapen(Exception):
    """The vendor would answer 422, or close the socket."""


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    stability: Annotated[float, Meta(ge=0, le=1)] | None = None
    similarity_boost: Annotated[float, Meta(ge=0, le=1)] | None = None
    style: Annotated[float, Meta(ge=0, le=1)] | None = None
    speed: Annotated[float, Meta(ge=0.7, le=1.2)] | None = None
    use_speaker_boost: bool | None = None


class Locator(msgspec.Struct, forbid_unknown_fields=True):
    pronunciation_dictionary_id: str
    version_id: str | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=40_000)]
    model_id: str = "eleven_multilingual_v2"
    language_code: Annotated[str, Meta(min_length=2, max_length=3)] | None = None
    voice_settings: Settings | None = None
    pronunciation_dictionary_locators: Annotated[list[Locator], Meta(max_length=3)] | None = None
    seed: Annotated[int, Meta(ge=0, le=4294967295)] | None = None
    previous_text: str | None = None
    next_text: str | None = None
    previous_request_ids: Annotated[list[str], Meta(max_length=3)] | None = None
    next_request_ids: Annotated[list[str], Meta(max_length=3)] | None = None
    apply_text_normalization: str | None = None


class Generation(msgspec.Struct, forbid_unknown_fields=True):
    chunk_length_schedule: list[Annotated[float, Meta(ge=50, le=500)]] | None = None


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """A client's message on the socket."""

    text: str | None = None
    voice_settings: Settings | None = None
    generation_config: Generation | None = None
    pronunciation_dictionary_locators: list[Locator] | None = None
    xi_api_key: str | None = None
    authorization: str | None = None
    context_id: str | None = None
    flush: bool | None = None
    close_context: bool | None = None
    close_socket: bool | None = None


def check_query(query: dict[str, list[str]], known: set[str]) -> None:
    """Raises Misshapen."""
    if unknown := query.keys() - known:
        raise Misshapen(f"unknown query {sorted(unknown)}")
    if query.get("output_format", ["ulaw_8000"])[0] not in RATES:
        raise Misshapen("unknown output_format")


def check_body(body: dict[str, Any]) -> None:
    """Raises Misshapen."""
    try:
        msgspec.convert(body, Body)
    except msgspec.ValidationError as error:
        raise Misshapen(str(error)) from None


def read_said(message: str, known_contexts: set[str]) -> Said:
    """A message on the socket, by the rules of contexts. Raises Misshapen."""
    try:
        said = msgspec.json.decode(message, type=Said)
    except msgspec.MsgspecError as error:
        raise Misshapen(str(error)) from None
    if said.context_id is None or said.close_context or said.close_socket:
        return said
    begins = said.context_id not in known_contexts
    if begins and said.text != " ":
        raise Misshapen("a context begins with a space")
    if not begins and (said.voice_settings or said.generation_config or said.pronunciation_dictionary_locators):
        raise Misshapen("settings belong to a context's first message")
    if said.text and not said.text.endswith(" "):
        raise Misshapen("a text ends with a space")
    return said
