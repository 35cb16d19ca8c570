"""What stands behind the policy: anything that completes a conversation."""

from collections.abc import AsyncGenerator
from typing import Protocol

from scriza.ports.llm import TextPiece, ToolPiece, Turn, UsagePiece

Piece = TextPiece | ToolPiece | UsagePiece


class Engine(Protocol):
    """Completes turns with a model."""

    @property
    def name(self) -> str:
        """How the engine is called in `GET /v1/models`."""
        ...

    def stream(self, model: str, turn: Turn) -> AsyncGenerator[Piece, None]:
        """The completion as it is made: text and whole tool calls, then usage if the model's server tells it.

        An empty text says only that the model is at work, as it is while it writes a tool call. `turn.messages` is what
        the model gets: persona and goals are in its system message already. Closing the generator stops the model at
        once. Raises UpstreamFailed or DeadlineExceeded, TooLarge for a conversation longer than the model takes,
        Unavailable when there is nothing to answer from.
        """
        ...

    async def warm_up(self) -> None:
        """Make the first completion as quick as the next ones. Raises what `stream` raises; calling it is optional."""
        ...

    async def close(self) -> None:
        """Let go of connections. Nothing is asked of the engine afterwards."""
        ...
