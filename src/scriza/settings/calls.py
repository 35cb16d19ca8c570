"""How calls are led."""

from typing import Literal

from pydantic import BaseModel, Field


class Calls(BaseModel):
    """How calls are led."""

    most_calls: int = Field(100, ge=1, description="Calls that a process leads at the same time.")
    vad: Literal["auto", "silero", "energy"] = Field(
        "auto", description="What hears the caller speak; `auto` is silero, and energy where that cannot run."
    )
    endpointing: Literal["adaptive", "fixed"] = Field(
        "adaptive", description="How the end of a turn is decided: by words and habit, or by silence alone."
    )
    endpoint_silence_ms: int = Field(700, ge=100, le=5000, description="The silence of `fixed` endpointing.")
    speculation: bool = Field(True, description="Whether thinking starts before the end of a turn is certain.")
    opening_on_wire_ms: int = Field(
        10_000, ge=100, description="So late our opening must be on the wire, or the call ends politely."
    )
    first_words_ms: int = Field(
        10_000, ge=100, description="So long after the heard opening the caller must have spoken, or the call ends."
    )
    silence_ms: int = Field(8_000, ge=100, description="Silence of the caller before each prompt, and the hang-up.")
    words_ms: int = Field(4_000, ge=100, description="From the end of a turn until its words must be there.")
    digits_ms: int = Field(2_000, ge=100, description="From a key to the next one; `#` ends the input at once.")
    longest_turn_ms: int = Field(30_000, ge=1000, description="Speech without a pause that is taken as a turn.")
    longest_call_ms: int = Field(1_800_000, ge=1000, description="The longest call.")
    most_failures: int = Field(2, ge=1, description="Failed answers in a row that end the call politely.")
