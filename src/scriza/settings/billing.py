"""What is paid for what was used."""

from pydantic import BaseModel, Field


class Billing(BaseModel):
    """Usage and credit."""

    prices: str = Field(
        "", description="A JSON file with a table of prices, in the place of the one that comes with Scriza."
    )
    hold_seconds: int = Field(
        120,
        ge=20,
        le=3600,
        description="Credit for so many seconds is set aside for a live call, then for as many more.",
    )
    hold_per_minute: int = Field(
        100_000, ge=0, description="Credit that is set aside for each minute of a live call, in micro-USD."
    )
