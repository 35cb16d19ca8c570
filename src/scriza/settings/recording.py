"""Recording calls."""

from typing import Literal

from pydantic import BaseModel, Field


class Recording(BaseModel):
    """Recording calls.

    The law of many places asks for the consent of those who are recorded: let the opening line tell them.
    """

    recording: Literal["off", "ours", "carrier"] = Field(
        "off", description="Who records calls, caller and agent a channel each: Scriza itself, or the carrier."
    )
    recording_days: int = Field(0, ge=0, description="Days after which a recording is deleted; 0 keeps it.")
    recording_leaves_carrier: bool = Field(
        False, description="Whether the carrier deletes its recording once Scriza has fetched it."
    )
