"""How Scriza thinks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl


def _model(value: str) -> str:
    if not value or not value.isascii() or not value.isprintable() or "," in value or " " in value:
        raise ValueError("must be a model's name, in printable ASCII without spaces and commas")
    return value


ModelName = Annotated[str, AfterValidator(_model)]


class Thinking(BaseModel):
    """The language model."""

    llm_engine: Literal["auto", "openai", "playbook"] = Field(
        "auto",
        description="`auto` goes by keys and base URLs of OpenAI's; `playbook` answers from the playbook itself.",
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Makes OpenAI, or what speaks like it, the model.")
    openai_base_url: HttpUrl = Field("", description="Another host for OpenAI's API; it may need no key.")
    openai_model_critical: ModelName = Field("gpt-4o", description="The model for turns that matter most.")
    openai_model_cheap: ModelName = Field("gpt-4o-mini", description="The model for all other turns.")
    openai_base_url_critical: HttpUrl = Field(
        "", description="A server of its own for the critical model. The common key is not sent there."
    )
    openai_base_url_cheap: HttpUrl = Field(
        "", description="A server of its own for the cheap model. The common key is not sent there."
    )
    openai_api_key_critical: SecretStr = Field(
        SecretStr(""), description="A key of its own for the critical model; empty: the common key, at the common host."
    )
    openai_api_key_cheap: SecretStr = Field(
        SecretStr(""), description="A key of its own for the cheap model; empty: the common key, at the common host."
    )
    llm_fallbacks_critical: str = Field(
        "cheap",
        description="Who is asked when the critical model is late or fails, in order, by commas: `MODEL` at the same "
        "server, `MODEL@URL` at another one, `cheap` for the cheap model, or `none`. The same model again is a second "
        "try.",
    )
    llm_fallbacks_cheap: str = Field("none", description="The same for the cheap model; `critical` is known here.")
    llm_fallback_keys: SecretStr = Field(
        SecretStr(""), description="Keys for the servers of `MODEL@URL`, as `HOST=KEY,HOST=KEY`; others get none."
    )
    llm_first_token_ms: int = Field(
        700, ge=1, le=60_000, description="A model that says nothing for so long gets the next one asked beside it."
    )
    llm_first_token_ms_critical: int = Field(
        0, ge=0, le=60_000, description="The same for the critical model; 0: as SCRIZA_LLM_FIRST_TOKEN_MS."
    )
    llm_first_token_ms_cheap: int = Field(
        0, ge=0, le=60_000, description="The same for the cheap model; 0: as SCRIZA_LLM_FIRST_TOKEN_MS."
    )
    llm_give_up_ms: int = Field(
        1800, ge=1, le=9000, description="When no model has spoken for so long, the playbook itself answers."
    )
    llm_stall_ms: int = Field(
        1500, ge=1, le=60_000, description="A model that falls silent for so long in mid-answer is given up."
    )
    llm_stall_ms_critical: int = Field(
        0, ge=0, le=60_000, description="The same for the critical model; 0: as SCRIZA_LLM_STALL_MS."
    )
    llm_stall_ms_cheap: int = Field(
        0, ge=0, le=60_000, description="The same for the cheap model; 0: as SCRIZA_LLM_STALL_MS."
    )
    llm_cache_ttl_seconds: int = Field(3600, ge=0, description="How long an answer is served from the cache; 0: never.")
    llm_cache_answers: int = Field(4096, ge=0, description="Answers kept in this process; those unused longest go.")
    llm_prices: str = Field(
        "",
        description="A JSON file of prices that go before those which come with Scriza, in micro-USD per million "
        'tokens: `{"version": "v1", "models": {"NAME": {"prompt": 1, "cached_prompt": 1, "completion": 1}}}`.',
    )
