"""How Scriza listens."""

from typing import Literal

from pydantic import BaseModel, Field

ComputeType = Literal[
    "auto", "default", "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16",
    "float32",
]  # fmt: skip


class Listening(BaseModel):
    """Listening."""

    asr_engine: Literal["auto", "faster-whisper", "whisper-cpp", "pocketsphinx"] = Field(
        "auto",
        description="`auto` takes faster-whisper when its model is on disk, else pocketsphinx, which is for demos.",
    )
    asr_model: str = Field(
        "base.en",
        description="A Whisper model: its name, a directory of faster-whisper, or a ggml file of whisper.cpp.",
    )
    asr_model_dir: str = Field("", description="Where models are kept; empty is `models` in the data directory.")
    asr_workers: int = Field(1, ge=1, le=64, description="Recognitions of live calls that run at the same time.")
    asr_device: Literal["auto", "cpu", "cuda"] = Field("auto", description="What faster-whisper's models run on.")
    asr_compute_type: ComputeType = Field(
        "auto", description="What faster-whisper computes with; `auto` is the fastest that the device has."
    )
    asr_threads: int = Field(
        0, ge=0, le=256, description="Threads of each recognition; 0 shares the cores out between `SCRIZA_ASR_WORKERS`."
    )
    asr_window_seconds: float = Field(
        30.0,
        ge=2.0,
        le=30.0,
        description="Seconds of audio that Whisper's encoder sees at least. 30 is what it was trained with; for 5 it "
        "works a fifteenth, and may hear worse: `scriza models check RECORDINGS --setting asr_window_seconds=5` "
        "compares.",
    )
