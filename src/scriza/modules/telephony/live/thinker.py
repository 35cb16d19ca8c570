"""Asks the agent: one task a thought, cancelled when the answer is not wanted any more."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from scriza.kernel.errors import NoCredit, ScrizaError
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.live.player import Tell
from scriza.ports.agent import Agent, CallFacts, CallPlan, Clause, Held, Reply, ReplyDone

_log = structlog.get_logger()

ZoneOf = Callable[[str], Awaitable[str]]
"""Tells the IANA time zone of a number; empty when it is not known."""


class Thinker:
    """The agent's mind, for one call. Its tasks belong to the session's task group."""

    def __init__(
        self,
        agent: Agent,
        tell: Tell,
        tasks: asyncio.TaskGroup,
        *,
        call: JournaledCall,
        principal: Principal,
        deadline_ms: int,
        zone_of: ZoneOf,
    ) -> None:
        self._agent, self._tell, self._tasks, self._call = agent, tell, tasks, call
        self._principal, self._deadline = principal, deadline_ms / 1000
        self._zone_of = zone_of
        self._thinking: dict[int, asyncio.Task[None]] = {}

    async def plan(self) -> CallPlan | None:
        """How to lead the call; none when the agent cannot be asked."""
        call = self._call
        led = call.assignment
        try:
            async with asyncio.timeout(self._deadline):
                facts = CallFacts(
                    call_id=call.call_id,
                    direction=call.direction,
                    caller=call.caller,
                    callee=call.callee,
                    playbook=led.playbook,
                    transfer_to=led.person,
                    variables=led.variables,
                    zone=await self._zone_of(call.caller if call.direction == "inbound" else call.callee),
                )
                with acting(self._principal, request_id=f"{call.call_id}:begin", call_id=call.call_id):
                    return await self._agent.begin(facts)
        except (ScrizaError, TimeoutError) as error:
            _log.error("telephony.no_plan", error=type(error).__name__)
            return None

    def think(self, number: int, request: Reply) -> None:
        """Begin a thought."""
        task = self._thinking[number] = self._tasks.create_task(self._think(number, request))
        task.add_done_callback(lambda _: self._thinking.pop(number, None))

    def cancel(self, number: int) -> None:
        """Its answer is not wanted; a thought that is over is fine."""
        if task := self._thinking.get(number):
            task.cancel()

    def close(self) -> None:
        """The call is over: no answer is wanted any more."""
        for task in list(self._thinking.values()):
            task.cancel()

    async def _think(self, number: int, request: Reply) -> None:
        request_id = f"{self._call.call_id}:thought:{self._call.attached}:{number}"
        loop = asyncio.get_running_loop()
        try:
            with acting(self._principal, request_id=request_id, call_id=self._call.call_id):
                async with asyncio.timeout(self._deadline) as deadline:
                    async for part in self._agent.reply(request):
                        deadline.reschedule(loop.time() + self._deadline)
                        match part:
                            case Clause(text=text, tokens=tokens):
                                self._tell(on.ClauseThought(number, text, tokens))
                            case ReplyDone():
                                self._tell(on.ThoughtDone(number, part))
                            case Held():
                                self._tell(on.ThoughtHeld(number, part))
                            case _:
                                self._tell(on.ActThought(number, part))
        except (ScrizaError, TimeoutError) as error:
            _log.warning("telephony.thought_failed", thought=number, error=type(error).__name__)
            self._tell(on.ThoughtFailed(number, no_credit=isinstance(error, NoCredit)))
