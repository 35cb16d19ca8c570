"""How calls are led."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from scriza.kernel.errors import BadInput
from scriza.modules.telephony.placing.hours import weekly_hours


def _weekly_hours(value: str) -> str:
    try:
        if value:
            weekly_hours(value)
    except BadInput as error:
        raise ValueError(error.detail) from error
    return value


def _countries(value: str) -> str:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not all(len(name) == 2 and name.isascii() and name.isupper() for name in names):
        raise ValueError("write countries like US,GB: two capitals each, separated by commas")
    return ",".join(names)


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", value):
        raise ValueError("must be a playbook's slug: small letters, digits, - and _")
    return value


class Calls(BaseModel):
    """How calls are led."""

    playbook: Annotated[str, AfterValidator(_slug)] = Field(
        "paper-kite", description="The slug of the playbook that leads calls for which none is named."
    )
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
    callee_silence_ms: int = Field(
        2_000, ge=0, description="Silence of somebody whom we called before the opening begins unasked."
    )
    silence_ms: int = Field(8_000, ge=100, description="Silence of the caller before each prompt, and the hang-up.")
    words_ms: int = Field(4_000, ge=100, description="From the end of a turn until its words must be there.")
    digits_ms: int = Field(2_000, ge=100, description="From a key to the next one; `#` ends the input at once.")
    longest_turn_ms: int = Field(30_000, ge=1000, description="Speech without a pause that is taken as a turn.")
    longest_call_ms: int = Field(1_800_000, ge=1000, description="The longest call.")
    most_failures: int = Field(2, ge=1, description="Failed answers in a row that end the call politely.")
    outbound_sender: str = Field(
        "",
        pattern=r"^(\+[1-9]\d{6,14})?$",
        description="Our number that calls are placed from when an order names none, in E.164.",
    )
    outbound_countries: Annotated[str, AfterValidator(_countries)] = Field(
        "", description="Countries that are called beside the sender's own: `US,GB`, two capitals each."
    )
    outbound_hours: Annotated[str, AfterValidator(_weekly_hours)] = Field(
        "",
        description="When people are called, in their own time: `Mon-Fri 09:00-18:00, Sat 10:00-14:00`. Empty is "
        "`Mon-Sat 09:00-20:00`, and any time where the carrier is the simulator.",
    )
    outbound_most_calls: int = Field(
        10, ge=0, description="Calls of a workspace that are placed at the same time, in all processes."
    )
    outbound_daily_micro_usd: int = Field(
        20_000_000, ge=0, description="What a workspace's placed calls may cost a day (UTC), in millionths of a dollar."
    )
    outbound_micro_usd_per_minute: int = Field(
        14_000, ge=0, description="What each minute of a placed call is taken to cost, in millionths of a dollar."
    )
