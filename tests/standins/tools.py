"""What runs tools, for tests: a book in memory, and a caller that answers by what the test tells it to."""

import asyncio
from collections.abc import Callable

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError
from scriza.modules.agent.tools.runs import RunBook
from scriza.modules.agent.tools.workshop import Workshop
from scriza.ports.tool_caller import ToolAnswer, ToolCaller, ToolRequest
from tests.memory_runs import MemoryRunBook
from tests.standins.memory import Recollections

Outcome = ToolAnswer | ScrizaError


class ScriptedTools:
    """Answers each tool by its name, and remembers what it was asked. A tool that nothing is said about is done."""

    def __init__(self, **outcomes: Outcome | Callable[[ToolRequest], Outcome]) -> None:
        self.outcomes = outcomes
        self.asked: list[ToolRequest] = []
        self.until: asyncio.Event | None = None
        """Says nothing before it is set."""
        self.delay_s = 0.0

    async def call(self, request: ToolRequest) -> ToolAnswer:
        self.asked.append(request)
        if self.until is not None:
            await self.until.wait()
        await asyncio.sleep(self.delay_s)
        outcome = self.outcomes.get(request.tool, ToolAnswer(200, '"done"'))
        if callable(outcome):
            outcome = outcome(request)
        if isinstance(outcome, ScrizaError):
            raise outcome
        return outcome


def workshop(
    caller: ToolCaller | None = None,
    book: RunBook | None = None,
    memory: Recollections | None = None,
    clock: WallClock = utc_now,
) -> Workshop:
    """As the container wires it."""
    return Workshop(book or MemoryRunBook(), caller or ScriptedTools(), memory or Recollections(), clock)  # type: ignore[arg-type]  # of memory only recall is asked
