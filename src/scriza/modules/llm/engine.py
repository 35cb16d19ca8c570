"""What stands behind the policy: anything that completes a conversation."""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from scriza.kernel.errors import DeadlineExceeded
from scriza.ports.llm import TextPiece, ToolPiece, Turn, UsagePiece

Piece = TextPiece | ToolPiece | UsagePiece


class Engine(Protocol):
    """Completes turns with the models of one server."""

    @property
    def name(self) -> str:
        """How the engine is called in `GET /v1/models`."""
        ...

    def stream(self, model: str, turn: Turn) -> AsyncGenerator[Piece, None]:
        """The completion as it is made: text and whole tool calls, then usage if the model's server tells it.

        An empty text says only that the model is at work, as it is while it writes a tool call. `turn.messages` is what
        the model gets: persona and goals are in its system message already. Closing the generator, and cancelling who
        waits for its next item, stops the model at once. Raises UpstreamFailed (ModelRefused where it knows more) or
        DeadlineExceeded, TooLarge for a conversation longer than the model takes; the engine itself tells them in the
        log.
        """
        ...

    def gave_up(self, error: DeadlineExceeded) -> None:
        """Tell it in the log like a failure of `stream`: whoever waited has stopped the model for being too slow."""
        ...

    async def warm_up(self) -> None:
        """Make the first completion as quick as the next ones. Raises what `stream` raises; calling it is optional."""
        ...

    async def close(self) -> None:
        """Let go of connections. Nothing is asked of the engine afterwards."""
        ...


class Upstream(msgspec.Struct, frozen=True):
    """One model at one server."""

    engine: Engine
    model: str


class Patience(msgspec.Struct, frozen=True):
    """How long models may take, in seconds."""

    hedge_s: float = 0.7
    """One model to its first token, before the next is asked beside it."""
    first_token_s: float = 2.5
    """All of them to a first token, when the turn's script could answer instead."""
    first_token_alone_s: float = 9.0
    """All of them to a first token, when nothing else could answer; less than the port's own 10 s."""
    next_token_s: float = 4.0
    """Between tokens: longer is a stall."""


class Route(msgspec.Struct, frozen=True):
    """Who answers the turns of one policy: the first upstream, and the others in their order when it is late or fails.

    The same upstream may stand there twice; then it is asked a second time.
    """

    upstreams: tuple[Upstream, ...]
    patience: Patience = Patience()

    @property
    def model(self) -> str:
        """The first choice."""
        return self.upstreams[0].model
