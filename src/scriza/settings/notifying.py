"""How a team is told of what happens."""

from pydantic import BaseModel, Field


class Notifying(BaseModel):
    """Webhooks."""

    webhook_private_hosts: str = Field(
        "",
        description="Hosts that webhooks may be at although their addresses are not public, such as "
        "`crm.internal` or `http://127.0.0.1:9000`, separated by commas.",
    )
