"""Has tools run: each use once, by a task of its own that outlives the reply which wanted it.

A caller who barges in ends the reply, not the tool: what it is doing cannot be taken back, so it goes on, and what came
of it is there when the next turn asks. A process that dies leaves a run that is overdue, of which nobody can tell
whether it was done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, Unavailable
from scriza.modules.agent.tools.runs import Run, RunBook, State, tried_again, what_next
from scriza.ports.tool_caller import ToolAnswer

_log = structlog.get_logger()

_MOST_AT_ONCE = 50
_GRACE = timedelta(seconds=5)
"""Beyond a tool's own deadline, for keeping what came of it."""
_LOOK_S = 0.1
"""Between two looks at a run that another process carries out."""
_KEEP_TRIES = 4
_KEEP_PAUSE_S = 0.5

Perform = Callable[[Run], Awaitable[ToolAnswer]]
"""Does what a run is for. Raises what a `ToolCaller` raises."""


class ToolRunner:
    """Runs tools; what it keeps between replies is in the book."""

    def __init__(self, book: RunBook, clock: WallClock = utc_now) -> None:
        self._book, self._clock = book, clock
        self._running: dict[str, asyncio.Task[Run]] = {}

    async def run(self, wanted: Run, perform: Perform, *, timeout_s: float) -> Run:
        """What came of the wish, done now or before. Who is cancelled while waiting leaves the tool running.

        Raises Unavailable when too many tools run, and what the book raises before anything was done.
        """
        task = self._running.get(wanted.run_id)
        if task is None:
            if len(self._running) >= _MOST_AT_ONCE:
                raise Unavailable("too many tools are running")
            task = asyncio.create_task(self._carried_out(wanted, perform, timedelta(seconds=timeout_s)))
            self._running[wanted.run_id] = task
            task.add_done_callback(lambda done: self._ended(wanted.run_id, done))
        return await asyncio.shield(task)

    def _ended(self, run_id: str, task: asyncio.Task[Run]) -> None:
        self._running.pop(run_id, None)
        if not task.cancelled() and (error := task.exception()):
            # Nobody may be waiting for it any more.
            _log.warning("tool.not_run", error=type(error).__name__)

    async def close(self, seconds: float = 5.0) -> None:
        """Give what is running some time to end; what does not is told as unknown by whoever looks next."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running.values(), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            _log.warning("tool.left_running", runs=len(late))
            await asyncio.wait(late)

    async def _carried_out(self, wanted: Run, perform: Perform, timeout: timedelta) -> Run:
        now = self._clock()
        ours = msgspec.structs.replace(wanted, started_at=now, overdue_at=now + timeout + _GRACE)
        found = await self._book.claim(ours)
        while found is not None:
            now = self._clock()
            match what_next(found, now):
                case "use":
                    return found
                case "wait":
                    await asyncio.sleep(_LOOK_S)
                case "give_up":
                    given_up = msgspec.structs.replace(found, state="unknown")
                    if await self._book.change(found, given_up):
                        return given_up
                case "try":
                    ours = tried_again(found, now, now + timeout + _GRACE)
                    if await self._book.change(found, ours):
                        break
            found = await self._book.find(wanted.run_id) or found
        return await self._performed(ours, perform)

    async def _performed(self, run: Run, perform: Perform) -> Run:
        began = asyncio.get_running_loop().time()
        state, result = await self._outcome(run, perform)
        ms = round((asyncio.get_running_loop().time() - began) * 1000)
        _log.info("tool.run", tool=run.tool, state=state, ms=ms, attempt=run.attempt)
        over = msgspec.structs.replace(run, state=state, result=result, ms=ms)
        await self._keep(run, over)
        return over

    async def _outcome(self, run: Run, perform: Perform) -> tuple[State, str]:
        try:
            answer = await perform(run)
        except DeadlineExceeded:
            return ("failed" if run.harmless else "unknown"), ""
        except ScrizaError:
            return "failed", ""
        return ("done" if answer.done else "failed"), answer.text

    async def _keep(self, old: Run, new: Run) -> None:
        """What is not kept is told as unknown later, which is safe: it is only known a little less."""
        for attempt in range(_KEEP_TRIES):
            try:
                await self._book.change(old, new)
            except ScrizaError as error:
                _log.warning("tool.not_kept", reason=error.slug)
                await asyncio.sleep(_KEEP_PAUSE_S * 2**attempt)
            else:
                return
