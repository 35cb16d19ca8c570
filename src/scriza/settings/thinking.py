"""How Scriza thinks."""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl


class Thinking(BaseModel):
    """The language model."""

    llm_engine: Literal["auto", "openai", "playbook"] = Field(
        "auto", description="`auto` goes by the key; `playbook` answers from the playbook itself."
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Makes OpenAI, or what speaks like it, the model.")
    openai_base_url: HttpUrl = Field("", description="Another host for OpenAI's API.")
    openai_model_critical: str = Field("gpt-4o", description="The model for turns that matter most.")
    openai_model_cheap: str = Field("gpt-4o-mini", description="The model for all other turns.")
    llm_cache_ttl_seconds: int = Field(3600, ge=0, description="How long an answer is served from the cache; 0: never.")
