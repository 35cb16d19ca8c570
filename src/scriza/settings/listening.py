"""How Scriza listens."""

from typing import Literal

from pydantic import BaseModel, Field


class Listening(BaseModel):
    """Listening."""

    asr_engine: Literal["auto", "faster-whisper", "pocketsphinx"] = Field(
        "auto",
        description="`auto` takes faster-whisper when its model is on disk, else pocketsphinx, which is for demos.",
    )
    asr_model: str = Field("base.en", description="A faster-whisper model: its name, or a directory.")
    asr_model_dir: str = Field("", description="Where models are kept; empty is `models` in the data directory.")
    asr_workers: int = Field(1, ge=1, le=64, description="Recognitions of live calls that run at the same time.")
