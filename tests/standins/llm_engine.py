"""A language model that says what a test tells it to, and shows how it was asked."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TypedDict

from scriza.kernel.errors import DeadlineExceeded
from scriza.modules.llm.engine import Patience, Route, Upstream
from scriza.ports.llm import TextPiece, ToolPiece, Turn, UsagePiece


@dataclass
class Says:
    """One completion."""

    pieces: list[str | ToolPiece] = field(default_factory=lambda: ["It is ", "nineteen ", "dollars."])
    usage: UsagePiece | None = field(default_factory=lambda: UsagePiece(40, 5, 45))
    fail_after: int | None = None
    failure: Exception = field(default_factory=lambda: RuntimeError("of the test"))
    first_s: float = 0.0
    each_s: float = 0.0
    """Seconds before each piece."""
    stall_after: int | None = None
    gate: asyncio.Semaphore | None = None
    """Each piece waits for it."""


class Routes(TypedDict, total=False):
    """What an `LlmService` takes for its routes."""

    critical: Route
    cheap: Route


def routes(engine: "ScriptedEngine | None", patience: Patience | None = None) -> Routes:
    """One model for each policy, `critical-1` and `cheap-1`, and no other one behind it."""
    if engine is None:
        return {}
    critical, cheap = (Route((Upstream(engine, name),), patience or Patience()) for name in ("critical-1", "cheap-1"))
    return {"critical": critical, "cheap": cheap}


class ScriptedEngine:
    """Says what was queued with `will`, then the default for ever."""

    def __init__(self, *says: Says) -> None:
        self.asked: list[tuple[str, Turn]] = []
        self.begun = asyncio.Event()
        self.left = 0
        """Completions that were closed before their end."""
        self.too_slow: list[str] = []
        """What it was told of completions that were given up."""
        self.closed = False
        self.warm = False
        self.warm_up_failure: Exception | None = None
        self._queue = deque(says)

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def prompts(self) -> list[str]:
        """The system message of each completion asked for."""
        return [turn.messages[0].content for _, turn in self.asked]

    def will(self, *says: Says) -> None:
        self._queue.extend(says)

    def gave_up(self, error: DeadlineExceeded) -> None:
        self.too_slow.append(error.detail)

    async def warm_up(self) -> None:
        if self.warm_up_failure is not None:
            raise self.warm_up_failure
        self.warm = True

    async def close(self) -> None:
        self.closed = True

    async def stream(self, model: str, turn: Turn) -> AsyncGenerator[TextPiece | ToolPiece | UsagePiece, None]:
        self.asked.append((model, turn))
        self.begun.set()
        says = self._queue.popleft() if self._queue else Says()
        over = False
        try:
            await asyncio.sleep(says.first_s)
            for count, piece in enumerate(says.pieces):
                if count == says.fail_after:
                    raise says.failure
                if count == says.stall_after:
                    await asyncio.Event().wait()
                await asyncio.sleep(says.each_s)
                if says.gate is not None:
                    await says.gate.acquire()
                yield TextPiece(piece) if isinstance(piece, str) else piece
            if says.fail_after == len(says.pieces):
                raise says.failure
            if says.usage is not None:
                yield says.usage
            over = True
        finally:
            self.left += not over
