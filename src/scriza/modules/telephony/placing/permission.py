"""Whether what was intended may still be done, by the lists, the switch and the credit as they stand now."""

from typing import Literal

from scriza.kernel.clock import WallClock, utc_now
from scriza.modules.telephony.credit import CallCredit
from scriza.modules.telephony.placing.books import BarredBook, SwitchBook
from scriza.modules.telephony.placing.dialling_plan import looked_up
from scriza.modules.telephony.placing.intents import Intent, TextWish
from scriza.modules.telephony.placing.policy import Rules, moment_refused
from scriza.ports.call_desk import BarredNumber, RefusalReason


class ListsSwitchAndCredit:
    """Implements Permission."""

    def __init__(
        self, rules: Rules, barred: BarredBook, switch: SwitchBook, credit: CallCredit, clock: WallClock = utc_now
    ) -> None:
        self._rules, self._barred, self._switch, self._clock = rules, barred, switch, clock
        self._credit = credit

    async def refused(self, intent: Intent) -> RefusalReason | Literal[""]:
        """See Permission. A message is sent at any hour: it is part of a conversation."""
        barred = await self._barred.find(intent.workspace, intent.to) is not None
        if isinstance(intent.wish, TextWish):
            return "do-not-call" if barred else ""
        to = await looked_up(intent.to)
        stopped = (await self._switch.read()).stopped
        if reason := moment_refused(self._rules, to, self._clock(), stopped=stopped, barred=barred):
            return reason
        return "" if await self._credit.is_left() else "no-credit"

    async def opted_out(self, intent: Intent) -> None:
        """See Permission."""
        entry = BarredNumber(intent.to, "carrier", "the person has told the carrier STOP", self._clock())
        await self._barred.put(intent.workspace, entry)
