"""Everything that places calls and sends messages, in memory, around a carrier of the test's own."""

from collections.abc import AsyncIterator

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Unavailable
from scriza.modules.telephony.placing.desk import CallDeskService
from scriza.modules.telephony.placing.dispatch import Dispatcher, Links
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.permission import ListsSwitchAndCredit
from scriza.modules.telephony.placing.policy import Rules
from scriza.modules.telephony.placing.texts import Texts
from scriza.modules.telephony.reception import Reception
from scriza.modules.telephony.stopping import StopSwitch
from scriza.ports.agent import Agent, CallFacts, CallPlan, Reply, ReplyPart
from scriza.ports.carrier import Carrier
from tests.memory_books import (
    MemoryBarredBook,
    MemoryCallbackBook,
    MemoryIntentBook,
    MemoryNumberBook,
    MemorySwitchBook,
)
from tests.memory_credit import Purse
from tests.standins.carrier import StandInCarrier

ALWAYS = Rules(weekly_hours("Mon-Sun 00:00-24:00"), most_calls=3)


class NoAgent:
    """Cannot be asked anything."""

    async def begin(self, call: CallFacts) -> CallPlan:
        raise Unavailable("there is no agent")

    async def reply(self, request: Reply) -> AsyncIterator[ReplyPart]:
        raise Unavailable("there is no agent")
        yield


class MemoryPlacing:
    """As the container wires it. `closed` counts how often all calls were told to end."""

    def __init__(
        self,
        carrier: Carrier | None = None,
        clock: WallClock = utc_now,
        rules: Rules = ALWAYS,
        agent: Agent | None = None,
    ) -> None:
        self.clock, self.rules = clock, rules
        self.carrier = carrier or StandInCarrier(clock)
        self.intents, self.numbers = MemoryIntentBook(), MemoryNumberBook()
        self.barred, self.switch_book = MemoryBarredBook(), MemorySwitchBook()
        self.purse = Purse()
        self.permission = ListsSwitchAndCredit(rules, self.barred, self.switch_book, self.purse.for_calls(), clock)
        self.dispatcher = Dispatcher(self.intents, self.carrier, Links("https://pbx.example"), self.permission, clock)
        self.texts = Texts(self.intents, self.dispatcher, clock)
        self.reception = Reception(self.numbers, self.dispatcher, agent or NoAgent(), rules, clock)
        self.callbacks = MemoryCallbackBook()
        self.closed = 0
        self.switch = StopSwitch(self.switch_book, self._close, clock)

    def _close(self) -> None:
        self.closed += 1

    def desk(self, agent: Agent, *, sender: str = "") -> CallDeskService:
        return CallDeskService(
            self.intents,
            self.numbers,
            self.barred,
            self.switch,
            self.dispatcher,
            self.permission,
            agent,
            self.rules,
            sender=sender,
            clock=self.clock,
        )
