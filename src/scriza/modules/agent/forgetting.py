"""What the agent keeps of somebody who is to be forgotten: uses of tools in their calls, what they wrote, summaries."""

from collections.abc import Callable, Sequence

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Event
from scriza.modules.agent.chat.book import ChatBook
from scriza.modules.agent.tools.runs import RunBook
from scriza.ports.erasure import erased_event, erased_in, forgotten_in
from scriza.ports.events import Publisher

MODULE = "agent"
_log = structlog.get_logger()


class AgentForgetting:
    """The consumer of `caller.forgotten`; `let_go` drops what a process has in its memory, of these calls or of all."""

    def __init__(
        self,
        runs: RunBook,
        chats: ChatBook,
        let_go: Callable[[Sequence[str] | None], None],
        publisher: Publisher,
        clock: WallClock = utc_now,
    ) -> None:
        self._runs, self._chats, self._let_go = runs, chats, let_go
        self._publisher, self._clock = publisher, clock

    async def forget(self, order: Event) -> None:
        """Erase and tell so. Raises what the stores raise; doing it again is fine."""
        asked = forgotten_in(order)
        written = await self._chats.of_caller(order.workspace, asked.caller)
        calls = [*asked.call_ids, *written]
        runs = await self._runs.forget(calls)
        chats = await self._chats.forget(order.workspace, calls)
        self._let_go(calls)
        _log.info("tools.forgotten", runs=runs, conversations=chats)
        erased = {"tool_runs": runs, "conversations": chats}
        await self._publisher.publish(erased_event(order, MODULE, erased, self._clock()))

    async def erased(self, proof: Event) -> None:
        """Another process has erased: the proof names no calls, so all summaries here are made again when wanted."""
        if erased_in(proof).module == MODULE:
            self._let_go(None)
