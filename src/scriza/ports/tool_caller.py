"""Tools of a team's own, asked by HTTP."""

from typing import Literal, Protocol

import msgspec


class ToolRequest(msgspec.Struct, frozen=True):
    """One request to a tool's server."""

    tool: str
    method: Literal["GET", "POST", "PUT"]
    url: str
    arguments: dict[str, object]
    """A JSON object in the body; in the query of a GET."""
    key: str
    """Sent as ``Idempotency-Key``: the same for the same wish, however often it is asked for."""
    timeout_ms: int
    """From the look-up of the host's name to the answer's last byte."""
    auth_ref: str = ""
    """Names the bearer token that is sent along; empty sends none."""
    again: bool = False
    """Asking twice does no harm: what got lost is asked for once more, while there is time."""


class ToolAnswer(msgspec.Struct, frozen=True):
    """What the server has answered: 2xx is done, 4xx was refused."""

    status: int
    text: str
    """The body, cut where it is too long."""
    cut: bool = False

    @property
    def done(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.status < 300


class ToolCaller(Protocol):
    """Asks the servers of tools."""

    async def call(self, request: ToolRequest) -> ToolAnswer:
        """The server's answer; redirects are not followed.

        Raises Forbidden when the address may not be asked, UpstreamFailed when it surely did nothing, DeadlineExceeded
        when it may have done what it was asked and has not told.
        """
        ...
