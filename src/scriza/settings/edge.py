"""The edge: who may ask from where, and how often."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from scriza.settings.kinds import addresses, origins


class Edge(BaseModel):
    """The edge."""

    cors_origins: Annotated[str, AfterValidator(origins)] = Field(
        "", description="Other sites whose pages may call the API: `https://HOST`, separated by commas."
    )
    trusted_proxies: Annotated[str, AfterValidator(addresses)] = Field(
        "", description="Addresses or networks of proxies whose `X-Forwarded-For` is believed, separated by commas."
    )
    rate_login: int = Field(10, ge=0, description="Log-ins a minute from one address; 0 is no bound.")
    rate_reset: int = Field(5, ge=0, description="Requests for a new password an hour from one address; 0 is no bound.")
    rate_webhooks: int = Field(6_000, ge=0, description="Webhooks a minute from one address; 0 is no bound.")
    rate_api: int = Field(1_200, ge=0, description="Requests a minute of one user or key; 0 is no bound.")
