"""What a team's own tools may reach."""

from pydantic import BaseModel, Field, SecretStr


class Tools(BaseModel):
    """Tools of the team's own, which playbooks name."""

    tool_hosts: str = Field(
        "",
        description="Where tools may be, separated by commas: `HOST`, `HOST:PORT`, `*.DOMAIN`, `http://HOST:PORT`, or "
        "`*` for any public host by https. Empty is nowhere.",
    )
    tool_private_hosts: str = Field(
        "", description="The same for hosts in your own network, which may have addresses that are not public."
    )
    tool_tokens: SecretStr = Field(
        SecretStr(""),
        description="Bearer tokens, as `NAME@HOST=TOKEN,NAME@HOST=TOKEN`; each goes to its host alone, and for "
        "`WORKSPACE/NAME@HOST` only from that workspace's playbooks.",
    )
