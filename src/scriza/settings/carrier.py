"""The telephone company."""

from pydantic import BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl


class Carrier(BaseModel):
    """Twilio."""

    twilio_account_sid: str = Field("", description="The account that calls and messages are placed from.")
    twilio_auth_token: SecretStr = Field(
        SecretStr(""),
        description="Checks signatures; empty makes a local one for the simulator.",
    )
    twilio_auth_token_secondary: SecretStr = Field(
        SecretStr(""), description="The other token while the first one is being rotated."
    )
    twilio_shared_keys: SecretStr = Field(
        SecretStr(""), description="Shared keys that may sign as well: `ID=SECRET`, separated by commas."
    )
    twilio_base_url: HttpUrl = Field(
        "", description="Another host for Twilio's API; without an account it is the simulator of `scriza call`."
    )
    twilio_timeout_ms: int = Field(
        8_000, ge=1_000, description="How long one request to Twilio's API may take, from connecting to its last byte."
    )
    twilio_calls_per_second: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="How many calls a second the account may begin; Twilio starts everybody with one.",
    )
    transfer_to: str = Field(
        "",
        pattern=r"^(\+[1-9]\d{6,14})?$",
        description="The phone number of a person, in E.164, for callers who ask for one.",
    )
    transfer_ring_seconds: int = Field(
        30, ge=5, le=600, description="How long that person's phone rings before the agent goes on."
    )
