"""Credit that a test hands out, in the place of the usage module."""

import asyncio

from scriza.kernel.errors import Unavailable
from scriza.kernel.principal import current
from scriza.modules.telephony.credit import CallCredit
from scriza.ports.credit import CreditAnswer, CreditCheck


class Purse:
    """Has credit for so many `seconds` of calls, all of them together; none is no limit."""

    def __init__(self, seconds: int | None = None) -> None:
        self.seconds = seconds
        self.held: dict[str, int] = {}
        self.asked: list[CreditCheck] = []
        self.workspaces: set[str] = set()
        self.away = self.stalled = False

    async def check(self, asked: CreditCheck) -> CreditAnswer:
        self.asked.append(asked)
        self.workspaces.add(current().principal.workspace)
        if self.stalled:
            await asyncio.sleep(3600)
        if self.away:
            raise Unavailable("the book is away")
        wish = asked.hold
        if wish is None:
            return self._answer(self.seconds is None or self.seconds > sum(self.held.values()), "")
        grown = self.held | {wish.call_id: max(wish.seconds, self.held.get(wish.call_id, 0))}
        allowed = self.seconds is None or sum(grown.values()) <= self.seconds
        if allowed:
            self.held = grown
        return self._answer(allowed, wish.call_id if wish.call_id in self.held else "")

    def _answer(self, allowed: bool, hold_id: str) -> CreditAnswer:
        left = 10**6 if self.seconds is None else self.seconds - sum(self.held.values())
        return CreditAnswer(allowed, left, hold_id, "" if allowed else "no-credit")

    def for_calls(self, step_s: int = 120) -> CallCredit:
        """What telephony asks."""
        return CallCredit(self.check, step_s=step_s)
