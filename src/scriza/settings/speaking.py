"""How Scriza speaks."""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl


class Speaking(BaseModel):
    """Speaking."""

    tts_engine: Literal["auto", "elevenlabs", "espeak"] = Field(
        "auto", description="`auto` goes by the key; with ElevenLabs, espeak speaks when that fails."
    )
    tts_voices_file: str = Field(
        "",
        description='A TOML file: `[voices]` by locale, or locale and tone (`"en-IN/calm"`), `[tones.NAME]` with '
        "stability, similarity, speed and style, `[pronunciation]` with words and how to say them.",
    )
    tts_cache_mb: int = Field(
        2000, ge=1, description="Megabytes of clips kept in the data directory; those unused for longest go first."
    )
    tts_cache_days: int = Field(
        90, ge=1, description="A clip older than that is made anew; one that nobody asked for in that time goes."
    )
    elevenlabs_api_key: SecretStr = Field(SecretStr(""), description="Makes ElevenLabs the voice.")
    elevenlabs_base_url: HttpUrl = Field("", description="Another host for ElevenLabs' API.")
    elevenlabs_voice: str = Field("", description="The voice's id where a playbook names none; empty: a stock voice.")
    elevenlabs_model: str = Field("", description="The model's id; empty takes the quickest.")
    elevenlabs_second_voice: str = Field("", description="The voice that speaks when the first one fails.")
    elevenlabs_second_model: str = Field("", description="The model that speaks when the first one fails.")
    elevenlabs_streaming: Literal["timed", "plain", "socket"] = Field(
        "timed",
        description="`timed` is HTTP with the time of every character, `plain` HTTP with audio alone, `socket` a "
        "websocket that stays open.",
    )
    elevenlabs_prosody: bool = Field(
        True, description="Tell ElevenLabs what was said before a clause: it sounds better, and is cached less often."
    )
    elevenlabs_price: int = Field(
        0, ge=0, description="Micro-USD for 1,000 characters, as your plan has it; 0 where it is not known."
    )
    elevenlabs_dictionaries: str = Field(
        "", description="Pronunciation dictionaries kept at ElevenLabs, `ID` or `ID:VERSION`, with commas; at most 3."
    )
