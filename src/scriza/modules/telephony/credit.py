"""Credit for calls: some is set aside when one begins, and more ahead of time for as long as it lasts.

When nobody can say whether there is any, calls go on: see `ports.credit.in_time`.
"""

import asyncio
from collections.abc import Callable

import structlog

from scriza.ports.credit import Check, CreditAnswer, CreditCheck, HoldWish, in_time

_AGAIN_S = 5.0
"""Between two questions for credit that was refused: a team may grant some while its caller is on the line."""

_log = structlog.get_logger()


class CallCredit:
    """Asks for the workspace of the request. A call has credit for `step_s` seconds set aside, and then for more."""

    def __init__(self, check: Check, *, step_s: int = 120) -> None:
        self._check, self._step = check, step_s

    async def is_left(self) -> bool:
        """Whether a call may be ordered."""
        return _says_yes(await in_time(self._check, CreditCheck()))

    async def begins(self, call_id: str) -> bool:
        """Whether a call may begin; credit for it is then set aside."""
        return await self._covers(call_id, self._step)

    async def keep(self, call_id: str, lasted_s: Callable[[], float]) -> None:
        """Set more aside each time before what is held is used up; returns when no more is to be had, and it is.

        `lasted_s` tells how long the call has lasted, in seconds, on its earlier streams too.
        """
        covered = max(self._step, int(lasted_s()))
        while True:
            await asyncio.sleep(max(0.0, covered - self._step / 4 - lasted_s()))
            while not await self._covers(call_id, covered + self._step):
                left = covered - lasted_s()
                if left <= 0:
                    return
                await asyncio.sleep(min(_AGAIN_S, left))
            covered += self._step

    async def _covers(self, call_id: str, seconds: int) -> bool:
        return _says_yes(await in_time(self._check, CreditCheck(hold=HoldWish(call_id, seconds))))


def _says_yes(answer: CreditAnswer | None) -> bool:
    if answer is None:
        _log.warning("credit.unknown", asked="for a call")
        return True
    return answer.allowed
