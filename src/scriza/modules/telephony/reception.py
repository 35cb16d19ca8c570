"""Who a call is for: which workspace, which playbook, which person, by the number that was called or the order."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError
from scriza.kernel.ids import DEFAULT_WORKSPACE
from scriza.kernel.principal import current
from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.books import NumberBook
from scriza.modules.telephony.placing.dispatch import Dispatcher
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.intents import CallWish, intent_of
from scriza.modules.telephony.placing.policy import Rules, cost
from scriza.ports.agent import Agent, CallFacts
from scriza.ports.call_desk import PhoneNumber

CLOSED = "Thank you for calling. We are closed at the moment. Please call again later. Goodbye."
_AGENT_SECONDS = 2.0

_log = structlog.get_logger()


class Lead(msgspec.Struct, frozen=True):
    """What is decided about a call before anything is said.

    `connect_to` (E.164): the caller is connected to a person and not led by an agent. `say`: they hear this line, and
    that is all. Neither: an agent leads the call by its assignment.
    """

    workspace: str = DEFAULT_WORKSPACE
    assignment: Assignment = Assignment()
    connect_to: str = ""
    say: str = ""


def is_open(number: PhoneNumber, now: datetime) -> bool:
    """Whether calls to a number are answered at this moment."""
    return not number.hours or weekly_hours(number.hours).open_at(now.astimezone(ZoneInfo(number.zone)))


def lead_of(workspace: str, number: PhoneNumber, now: datetime) -> Lead:
    """What a number's settings say about a call that comes in now."""
    led = Assignment(playbook=number.playbook, person=number.person)
    if is_open(number, now):
        return Lead(workspace, led)
    if number.closed == "answer":
        return Lead(workspace, msgspec.structs.replace(led, playbook=number.closed_playbook or number.playbook))
    if number.closed == "transfer" and number.person:
        return Lead(workspace, led, connect_to=number.person)
    return Lead(workspace, led, say=number.closed_line or CLOSED)


class Reception:
    """Finds the lead of calls, and tells orders what became of theirs."""

    def __init__(
        self, numbers: NumberBook, dispatcher: Dispatcher, agent: Agent, rules: Rules, clock: WallClock = utc_now
    ) -> None:
        self._numbers, self._dispatcher, self._agent = numbers, dispatcher, agent
        self._rules, self._clock = rules, clock

    async def incoming(self, our_number: str) -> Lead:
        """Of a call to one of our numbers."""
        known = await self._numbers.find(our_number)
        if known is None:
            return Lead()
        lead = lead_of(*known, self._clock())
        if lead.say == CLOSED:
            return msgspec.structs.replace(lead, say=await self._closed_line(lead.assignment.playbook))
        return lead

    async def placed(self, intent_id: str, call_id: str) -> Lead:
        """Of a call that was placed for this intent, which its arrival proves. Empty or unknown: nobody ordered it."""
        intent = await self._dispatcher.proven(intent_id, call_id) if intent_id else None
        if intent is None or not isinstance(intent.wish, CallWish):
            return Lead()
        return Lead(intent.workspace, intent.wish.assignment)

    async def _closed_line(self, playbook: str) -> str:
        """The playbook's own line; ours when it has none, or does not say so soon."""
        try:
            async with asyncio.timeout(_AGENT_SECONDS):
                plan = await self._agent.begin(CallFacts(call_id=current().call_id, playbook=playbook))
        except (ScrizaError, TimeoutError) as error:
            _log.warning("number.no_closed_line", error=type(error).__name__)
            return CLOSED
        return plan.lines.closed or CLOSED

    async def workspace_of(self, our_number: str) -> str:
        """Whose number it is; the default workspace's when nothing is said about it."""
        known = await self._numbers.find(our_number)
        return DEFAULT_WORKSPACE if known is None else known[0]

    async def over(self, workspace: str, order_id: str, seconds: int) -> None:
        """A call that was ordered has ended after so long: what it cost is known, and its place is free."""
        await self._dispatcher.ended(intent_of(workspace, order_id), cost(self._rules, seconds))
