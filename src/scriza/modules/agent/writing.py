"""One round of a model's writing: what of it can be spoken as soon as it can, and all else that it told."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from scriza.kernel.errors import DeadlineExceeded, UpstreamFailed
from scriza.modules.agent.guarding import Guard
from scriza.ports.agent import Clause
from scriza.ports.llm import Llm, TextPiece, ToolCall, ToolPiece, Turn, TurnDone, UsagePiece
from scriza.ports.tokens import estimated_usage

_Thought = TextPiece | ToolPiece | UsagePiece | TurnDone

_NEXT_PART_S = 12.0
"""To the next piece of the model's answer: beyond what the llm module itself waits for."""


class Writing:
    """What a model writes in one round; all of it is known when the clauses have ended."""

    def __init__(self, llm: Llm, turn: Turn, guard: Guard) -> None:
        self._llm, self._turn, self._guard = llm, turn, guard
        self.text = ""
        self.calls: list[ToolCall] = []
        self.used = UsagePiece(0, 0, 0)
        self.done: TurnDone | None = None

    async def clauses(self) -> AsyncGenerator[Clause, None]:
        """What is spoken. Raises what the llm port raises, and UpstreamFailed for an answer that has no end."""
        async with closing(self._llm.stream_turn(self._turn)) as thoughts:
            while thought := await _next(thoughts):
                match thought:
                    case TextPiece():
                        self.text += thought.text
                        spoken = self._guard.push(thought.text)
                    case ToolPiece():
                        spoken = self._guard.flush()
                        self.calls.append(ToolCall(thought.id, thought.name, thought.arguments))
                    case UsagePiece():
                        spoken = self._guard.flush()
                        self.used = thought
                    case TurnDone():
                        spoken = self._guard.flush()
                        self.done = thought
                for text in spoken:
                    yield Clause(text, estimated_usage(self._turn.messages, self.text).total_tokens)
        if self.done is None:
            raise UpstreamFailed("the model's answer ended before it was complete")


@asynccontextmanager
async def closing(thoughts: AsyncIterator[_Thought]) -> AsyncIterator[AsyncIterator[_Thought]]:
    """Closes a stream of the port when it is left early, which stops the model."""
    try:
        yield thoughts
    finally:
        aclose = getattr(thoughts, "aclose", None)
        if aclose is not None:
            await aclose()


async def _next(thoughts: AsyncIterator[_Thought]) -> _Thought | None:
    limit = asyncio.timeout(_NEXT_PART_S)
    try:
        async with limit:
            return await anext(thoughts, None)
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"the model said nothing for {_NEXT_PART_S:g} s") from None
