"""One completion, from whoever can give it in time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import structlog

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, UpstreamFailed
from scriza.modules.llm.engine import Engine, Piece
from scriza.modules.llm.playbook_engine import PLAYBOOK, PlaybookEngine
from scriza.ports.llm import TextPiece, ToolPiece, Turn, UsagePiece

logger = structlog.get_logger()

_LONGEST = 100_000
"""Characters of a completion. The largest that can be asked for has 4096 tokens; not every server keeps to it."""


class Patience(msgspec.Struct, frozen=True):
    """How long the model may take, in seconds."""

    first_token_s: float = 2.5
    """To its first token, when the turn's script could answer instead."""
    first_token_alone_s: float = 9.0
    """To its first token, when nothing else could answer; less than the port's own 10 s."""
    next_token_s: float = 4.0
    """Between tokens: longer is a stall."""


class Completer:
    """Completes turns by the engine, or by their script when there is no engine or it fails before its first token.

    Once a token is out, a failure ends the completion: who has heard half a sentence must not hear another one instead.
    """

    def __init__(self, engine: Engine | None, patience: Patience) -> None:
        self._engine = engine
        self._patience = patience
        self._playbook = PlaybookEngine()

    async def complete(self, turn: Turn, model: str) -> AsyncGenerator[tuple[str, Piece], None]:
        """Pieces, each with the model that it comes from; `turn` has its prompt rendered.

        Raises what the engine raises, UpstreamFailed when it answers nothing at all, DeadlineExceeded when it stalls.
        """
        if self._engine is not None:
            begun = False
            try:
                async with aclosing(self._in_time(self._engine, turn, model)) as pieces:
                    async for piece in pieces:
                        begun = begun or not isinstance(piece, UsagePiece)
                        yield model, piece
                if not begun:
                    raise UpstreamFailed("the model answered nothing")
            except ScrizaError as error:
                logger.warning("llm.model_failed", model=model, reason=error.slug, detail=error.detail, begun=begun)
                if begun or not turn.script:
                    raise
            else:
                return
        async with aclosing(self._playbook.stream(turn)) as pieces:
            async for piece in pieces:
                yield PLAYBOOK, piece

    async def _in_time(self, engine: Engine, turn: Turn, model: str) -> AsyncGenerator[Piece, None]:
        wait = self._patience.first_token_s if turn.script else self._patience.first_token_alone_s
        written = 0
        async with aclosing(engine.stream(model, turn)) as pieces:
            while True:
                try:
                    async with asyncio.timeout(wait):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    raise DeadlineExceeded(f"the model said nothing for {wait:g} s") from None
                except ScrizaError:
                    raise
                except Exception as error:  # an SDK's surprise must not end a call; its text may quote what was said
                    logger.error("llm.engine_broke", engine=engine.name, error=type(error).__name__)
                    raise UpstreamFailed("the model's engine broke") from None
                if piece is None:
                    return
                wait = self._patience.next_token_s
                match piece:
                    case TextPiece(text=""):
                        continue
                    case TextPiece():
                        written += len(piece.text)
                    case ToolPiece():
                        written += len(piece.arguments)
                if written > _LONGEST:
                    raise UpstreamFailed("the model does not stop")
                yield piece
