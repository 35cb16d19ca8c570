"""How Scriza speaks."""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl


class Speaking(BaseModel):
    """Speaking."""

    tts_engine: Literal["auto", "elevenlabs", "espeak"] = Field(
        "auto", description="`auto` goes by the key; with ElevenLabs, espeak speaks when that fails."
    )
    tts_cache_mb: int = Field(
        2000, ge=1, description="Megabytes of clips kept in the data directory; those unused for longest go first."
    )
    elevenlabs_api_key: SecretStr = Field(SecretStr(""), description="Makes ElevenLabs the voice.")
    elevenlabs_base_url: HttpUrl = Field("", description="Another host for ElevenLabs' API.")
    elevenlabs_voice: str = Field("", description="The voice's id where a playbook names none; empty: a stock voice.")
    elevenlabs_model: str = Field("", description="The model's id; empty takes the quickest.")
