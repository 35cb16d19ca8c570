"""From a decision to spoken clauses: by the playbook's own words, by a model, or by the script when the model fails."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import structlog

from scriza.kernel.errors import DeadlineExceeded, Unavailable, UpstreamFailed
from scriza.modules.agent.decision import Decision
from scriza.modules.agent.guarding import Guard, spoken_line
from scriza.ports.agent import Act, Clause
from scriza.ports.llm import Llm, TextPiece, ToolPiece, Turn, TurnDone, Usage, UsagePiece
from scriza.ports.tokens import estimated_usage

_log = structlog.get_logger()

_Thought = TextPiece | ToolPiece | UsagePiece | TurnDone

_SCRIPT = "script"
"""The model that is told when a line of the script was spoken in the place of a model's answer."""
_NEXT_PART_S = 12.0
"""To the next piece of the model's answer: beyond what the llm module itself waits for."""

Take = Callable[[ToolPiece], Act | None]
"""Takes in a model's call of a tool; gives the act that it stands for, if any."""


class Answer:
    """What is said, what the model wants done, and how it was made: by the script, unless a model says otherwise."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.asked: list[Act] = []
        self.done = TurnDone("", _SCRIPT, cached=False, usage=Usage(0, 0, 0))
        self.used = UsagePiece(0, 0, 0)

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(self.said)


class Answering:
    """Gives one answer; what came of it is in `answer` when the clauses have ended."""

    def __init__(self, llm: Llm, decision: Decision, guard: Guard, take: Take) -> None:
        self._llm, self._decision, self._guard, self._take = llm, decision, guard, take
        self.answer = Answer()

    async def clauses(self, turn: Turn | None) -> AsyncGenerator[Clause, None]:
        """What has to be said first, then what the model writes, then the script's best line if that was nothing.

        No model is asked without a turn. Raises what the llm port raises, once something of the model's was spoken.
        """
        for line in self._decision.before:
            for clause in self._line(line.text):
                yield clause
        before = len(self.answer.said)
        if turn is not None:
            async with aclosing(self._by_model(turn)) as written:
                async for clause in written:
                    yield clause
        if len(self.answer.said) == before and self._decision.script:
            for clause in self._line(self._decision.script[0].text):
                yield clause

    def _line(self, text: str) -> list[Clause]:
        clauses = spoken_line(text)
        self.answer.said += clauses
        return [Clause(clause) for clause in clauses]

    async def _by_model(self, turn: Turn) -> AsyncGenerator[Clause, None]:
        before = len(self.answer.said)
        try:
            async with aclosing(self._written(turn)) as clauses:
                async for clause in clauses:
                    yield clause
        except (UpstreamFailed, DeadlineExceeded, Unavailable) as error:
            if len(self.answer.said) > before or self.answer.asked or not self._decision.script:
                raise
            # The model broke off, or was not there, before anything could be spoken of it: the caller need not know.
            _log.warning("agent.script_answers", reason=error.slug)

    async def _written(self, turn: Turn) -> AsyncGenerator[Clause, None]:
        """What the model says. Raises what the llm port raises, and UpstreamFailed for an answer that has no end."""
        guard, answer, written, complete = self._guard, self.answer, "", False
        async with closing(self._llm.stream_turn(turn)) as thoughts:
            while thought := await _next(thoughts):
                match thought:
                    case TextPiece():
                        written += thought.text
                        spoken = guard.push(thought.text)
                    case ToolPiece():
                        spoken = guard.flush()
                        act = self._take(thought)
                        answer.asked += [act] if act is not None else []
                    case UsagePiece():
                        spoken = guard.flush()
                        answer.used = thought
                    case TurnDone():
                        spoken = guard.flush()
                        answer.done, complete = thought, True
                for text in spoken:
                    answer.said.append(text)
                    yield Clause(text, estimated_usage(turn.messages, written).total_tokens)
        if not complete:
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
