"""How long what calls have told is remembered."""

from pydantic import BaseModel, Field


class Remembering(BaseModel):
    """Remembering calls.

    A workspace may say otherwise for itself. Figures in reports stay, since they are about nobody.
    """

    transcript_days: int = Field(
        0, ge=0, le=36_500, description="Days after which the words of a call are removed; 0 keeps them."
    )
    call_log_days: int = Field(
        0, ge=0, le=36_500, description="Days after which the whole log of a call is removed; 0 keeps it."
    )
    caller_fact_days: int = Field(
        0, ge=0, le=36_500, description="Days after which what a caller has said of themselves is removed; 0 keeps it."
    )
