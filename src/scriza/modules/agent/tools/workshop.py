"""What does the work of tools, for the whole process: their servers, memory, and the book of what was done."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import DeadlineExceeded, ScrizaError
from scriza.modules.agent.tools.arguments import canonical
from scriza.modules.agent.tools.runner import ToolRunner
from scriza.modules.agent.tools.runs import Run, RunBook
from scriza.modules.agent.tools.toolbox import Ability
from scriza.ports.memory import Memory, Recall
from scriza.ports.tool_caller import ToolAnswer, ToolCaller, ToolRequest

_log = structlog.get_logger()

_RECALL_S = 2.0
_LOOK_S = 0.3
"""A caller does not wait longer for what earlier turns have done."""


class Workshop:
    """Runs tools. `close` gives those that run some time to end."""

    def __init__(self, book: RunBook, caller: ToolCaller, memory: Memory, clock: WallClock = utc_now) -> None:
        self.clock = clock
        self.runner = ToolRunner(book, clock)
        self._book, self._caller, self._memory = book, caller, memory

    async def close(self) -> None:
        """See `ToolRunner`."""
        await self.runner.close()

    async def done_in(self, workspace: str, call_id: str) -> Sequence[Run]:
        """What tools have done in a call so far; nothing when that cannot be had at once."""
        try:
            async with asyncio.timeout(_LOOK_S):
                return await self._book.of_call(workspace, call_id)
        except (ScrizaError, TimeoutError) as error:
            _log.warning("agent.runs_not_read", error=type(error).__name__)
            return []

    async def perform(
        self, ability: Ability, arguments: Mapping[str, object], known: Mapping[str, str], run: Run
    ) -> ToolAnswer:
        """Ask the tool's server, or memory. Raises what a `ToolCaller` raises."""
        if ability.kind == "memory":
            return await self._recalled(known.get("caller", ""))
        tool = ability.tool
        return await self._caller.call(
            ToolRequest(
                tool=tool.name,
                method=tool.method,
                url=tool.url,
                arguments=ability.parameters.filled(arguments, known),
                key=run.key,
                timeout_ms=tool.timeout_ms,
                auth_ref=tool.auth_ref,
                again=ability.harmless,
            )
        )

    async def _recalled(self, number: str) -> ToolAnswer:
        """What is known of the caller, with nothing in it by which they could be reached."""
        if not number:
            return ToolAnswer(404, "The caller's number is withheld.")
        try:
            async with asyncio.timeout(_RECALL_S):
                found = await self._memory.recall(Recall(number))
        except TimeoutError:
            raise DeadlineExceeded("memory did not answer in time") from None
        last = {"calls": found.calls, "last_call": found.last_summary, "outcome": found.last_outcome}
        return ToolAnswer(200, canonical({**last, "known": {each.name: each.text for each in found.known}}))
