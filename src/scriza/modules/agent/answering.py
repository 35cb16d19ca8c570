"""From a decision to spoken clauses: by the playbook's own words, by a model, or by the script when the model fails.

A tool that the playbook itself wants runs first. Then the model writes, round by round: as long as it calls tools that
bring something back it is asked again with what they told. A speculative answer stops before the first tool that may
not run while the turn is not sure.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec
import structlog

from scriza.kernel.errors import DeadlineExceeded, Unavailable, UpstreamFailed
from scriza.modules.agent.decision import Decision
from scriza.modules.agent.guarding import Guard, spoken_line
from scriza.modules.agent.steering import Steering
from scriza.modules.agent.tools.filling import Filler, Working, filled
from scriza.modules.agent.tools.results import was_done
from scriza.modules.agent.tools.toolbox import Ability
from scriza.modules.agent.tools.uses import PLAYBOOK_CALL, Uses
from scriza.modules.agent.writing import Writing
from scriza.ports.agent import Clause, Held
from scriza.ports.llm import Llm, Message, ScriptLine, ToolCall, ToolPiece, Turn, TurnDone, Usage, UsagePiece

_log = structlog.get_logger()

_SCRIPT = "script"
"""The model that is told when a line of the script was spoken in the place of a model's answer."""
_TROUBLE = "@trouble.1"
_MOST_ROUNDS = 4
_ROUNDS_WITHIN_S = 25.0
"""After so long no further round is begun: the caller has waited enough."""


class Answer:
    """What is said and how it was made: by the script, unless a model says otherwise."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done = TurnDone("", _SCRIPT, cached=False, usage=Usage(0, 0, 0))
        self.used = UsagePiece(0, 0, 0)

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(self.said)

    def add(self, writing: Writing) -> None:
        """Count a round, finished or not."""
        used, more = self.used, writing.used
        self.used = UsagePiece(
            used.prompt_tokens + more.prompt_tokens,
            used.completion_tokens + more.completion_tokens,
            used.total_tokens + more.total_tokens,
            used.estimated or more.estimated,
            used.cached_prompt_tokens + more.cached_prompt_tokens,
        )
        if writing.done is not None:
            told = Usage(self.used.prompt_tokens, self.used.completion_tokens, self.used.total_tokens)
            self.done = msgspec.structs.replace(writing.done, usage=told if told.total_tokens else writing.done.usage)


class Directions(Protocol):
    """What an answer is made by."""

    def turn(self, decision: Decision) -> Turn | None:
        """What the model is asked; none asks no model."""
        ...

    def failed(self, tool: str) -> Decision:
        """What is said when a tool that the playbook itself wanted did not do it."""
        ...

    def fillers(self, tool: Ability) -> Sequence[str]:
        """Lines for while it runs, best first."""
        ...

    def trouble(self) -> str:
        """What is said when a model has tools run and then no word for what came of them."""
        ...


class Answering:
    """Gives one answer; what came of it is in `answer`, and `decision` is what it was made by, when the parts end."""

    def __init__(
        self, llm: Llm, decision: Decision, guard: Guard, steering: Steering, uses: Uses, directions: Directions
    ) -> None:
        self._llm, self._guard, self._steering = llm, guard, steering
        self._uses, self._directions = uses, directions
        self.decision = decision
        self.answer = Answer()
        self._by_model = 0
        """Clauses that the model has written."""
        self._owes_words = False
        """The model has had tools run and said nothing since; the script knows nothing of them, and may not answer."""

    async def parts(
        self, held: Held | None = None, *, speculative: bool = False
    ) -> AsyncGenerator[Clause | Held, None]:
        """What has to be said first, then what the model writes, then the script's best line if that was nothing.

        `held` is how far an earlier one had come, whose words are not said again. Raises what the llm port raises, once
        something of the model's was spoken.
        """
        answer, tokens = self.answer, 0
        if held is not None:
            answer.said += held.said
            self._uses.before = held.tools
            answer.used = UsagePiece(held.usage.prompt_tokens, held.usage.completion_tokens, held.usage.total_tokens)
        async with aclosing(filled(self._made(held, speculative=speculative))) as parts:
            async for part in parts:
                match part:
                    case Clause():
                        answer.said.append(part.text)
                        tokens = max(tokens, part.tokens)
                        yield part
                    case Filler():
                        for text in spoken_line(part.text):
                            answer.said.append(text)
                            yield Clause(text, tokens)
                    case Held():
                        yield msgspec.structs.replace(part, said=list(answer.said))
                    case Working():
                        raise AssertionError("what works is filled")

    async def _made(self, held: Held | None, *, speculative: bool) -> AsyncGenerator[Clause | Working | Held, None]:
        thought = list(held.thought) if held else []
        self._take_again(thought)
        if held is None:
            for line in self.decision.before:
                for text in spoken_line(line.text):
                    yield Clause(text)
        if self.decision.saying.tool and not thought:
            async with aclosing(self._tool_first(thought, speculative=speculative)) as working:
                async for step in working:
                    yield step
                    if isinstance(step, Held):
                        return
        elif thought and not _went_well(thought):
            self.decision = self._directions.failed(self.decision.saying.tool)
        turn = self._directions.turn(self.decision)
        if turn is not None:
            async with aclosing(self._rounds(turn, thought, speculative=speculative)) as written:
                async for part in written:
                    yield part
                    if isinstance(part, Held):
                        return
        last = ""
        if self._owes_words:
            last = self._directions.trouble()
        elif not self._by_model and self.decision.script:
            last = self.decision.script[0].text
        for text in spoken_line(last):
            yield Clause(text)

    async def _tool_first(self, thought: list[Message], *, speculative: bool) -> AsyncGenerator[Working | Held, None]:
        """Run the tool that the playbook wants; what came of it is then in `thought`."""
        wanted = self.decision.saying.tool
        call = self._uses.want(wanted, self.decision.slots)
        if call is None:
            self.decision = self._directions.failed(wanted)
            return
        if speculative and self._uses.must_be_sure:
            yield self._held([])
            return
        yield self._working()
        thought += [Message("assistant", tool_calls=[call]), *await self._uses.answers()]
        if not _went_well(thought):
            self.decision = self._directions.failed(wanted)

    async def _rounds(
        self, turn: Turn, thought: list[Message], *, speculative: bool
    ) -> AsyncGenerator[Clause | Working | Held, None]:
        """What the model writes, until it calls nothing more whose answer it needs."""
        loop, uses = asyncio.get_running_loop(), self._uses
        began = loop.time()
        try:
            for _ in range(_MOST_ROUNDS):
                if uses.asked:
                    if speculative and uses.must_be_sure:
                        yield self._held(thought)
                        return
                    if uses.first is not None:
                        yield self._working()
                    thought += await uses.answers()
                    self._owes_words = True
                    turn = msgspec.structs.replace(turn, script=[ScriptLine(_TROUBLE, self._directions.trouble())])
                if loop.time() - began > _ROUNDS_WITHIN_S:
                    return
                writing = Writing(
                    self._llm, msgspec.structs.replace(turn, messages=[*turn.messages, *thought]), self._guard
                )
                silent = True
                try:
                    async with aclosing(writing.clauses()) as clauses:
                        async for clause in clauses:
                            silent = self._owes_words = False
                            self._by_model += 1
                            yield clause
                finally:
                    self.answer.add(writing)
                calls = _told_apart(writing.calls, thought)
                for call in calls:
                    self._take(call)
                if not (uses.brings_back or (uses.asked and silent and not uses.ends)):
                    return
                thought.append(Message("assistant", writing.text, calls))
            _log.warning("agent.too_many_rounds")
        except (UpstreamFailed, DeadlineExceeded, Unavailable) as error:
            if not self._owes_words and (self._by_model or uses.acts or not self.decision.script):
                raise
            # The model broke off, or was not there, before anything could be spoken of it: the caller need not know.
            _log.warning("agent.script_answers", reason=error.slug)

    def _take(self, call: ToolCall) -> None:
        if self._steering.take(ToolPiece(call.id, call.name, call.arguments)):
            self._uses.taken(call)
        else:
            self._uses.take(call)

    def _take_again(self, thought: Sequence[Message]) -> None:
        """What a held answer had come to: its acts, and the calls of its last round, which have no answer yet."""
        answered = {message.tool_call_id for message in thought if message.role == "tool"}
        for call in (call for message in thought for call in message.tool_calls):
            if call.id not in answered:
                self._take(call)
            elif not self._steering.take(ToolPiece(call.id, call.name, call.arguments)):
                self._uses.take_again(call)

    def _working(self) -> Working:
        tool = self._uses.first
        return Working(tuple(self._directions.fillers(tool)) if tool else ())

    def _held(self, thought: list[Message]) -> Held:
        used = self.answer.used
        usage = Usage(used.prompt_tokens, used.completion_tokens, used.total_tokens)
        return Held(thought=list(thought), tools=self._uses.ran(), usage=usage)


def _told_apart(calls: Sequence[ToolCall], thought: Sequence[Message]) -> list[ToolCall]:
    """The calls with ids that none before them has: some servers begin anew with each round."""
    seen = {call.id for message in thought for call in message.tool_calls}
    apart = []
    for call in calls:
        id_, number = call.id, 1
        while id_ in seen:
            number += 1
            id_ = f"{call.id}-{number}"
        seen.add(id_)
        apart.append(ToolCall(id_, call.name, call.arguments))
    return apart


def _went_well(thought: Sequence[Message]) -> bool:
    """Whether the tool that the playbook wanted, if it wanted one, did what it was asked."""
    wanted = {call.id for message in thought for call in message.tool_calls if call.id.startswith(PLAYBOOK_CALL)}
    return all(was_done(message.content) for message in thought if message.tool_call_id in wanted)
