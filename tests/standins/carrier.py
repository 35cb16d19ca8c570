"""A carrier in memory that keeps what it is asked for, loses answers and refuses on demand."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from scriza.kernel.errors import DeadlineExceeded, ScrizaError
from scriza.ports.carrier import CallOrder, CarrierNumber, FoundCall, FoundMessage, Recording

Trouble = Literal["", "lost before", "lost after", "hangs"] | ScrizaError
"""What happens to the next request: it never arrives, its answer does not, it is held for good, or it is refused."""


class StandInCarrier:
    """Implements Carrier. `trouble` holds what befalls the next requests, in order.

    Lists lack what is younger than `lag`.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.placed: list[CallOrder] = []
        self.calls: list[tuple[CallOrder, FoundCall]] = []
        self.messages: list[tuple[str, str, FoundMessage]] = []
        self.trouble: list[Trouble] = []
        self.list_trouble: list[ScrizaError] = []
        self.looks = 0
        self.lag = timedelta(0)

    async def _meets(self, done: Callable[[], str]) -> str:
        trouble = self.trouble.pop(0) if self.trouble else ""
        match trouble:
            case "lost before":
                raise DeadlineExceeded("no answer")
            case "lost after":
                done()
                raise DeadlineExceeded("no answer")
            case "hangs":
                done()
                await asyncio.Event().wait()
            case ScrizaError():
                raise trouble
        return done()

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        def sent() -> str:
            found = FoundMessage(f"SM{len(self.messages) + 1}", text, self._now())
            self.messages.append((sender, to, found))
            return found.message_id

        return await self._meets(sent)

    async def find_messages(self, *, sender: str, to: str, since: datetime) -> list[FoundMessage]:
        self._look()
        return [
            found
            for who, whom, found in reversed(self.messages)
            if (who, whom) == (sender, to) and since <= found.created_at <= self._now() - self.lag
        ]

    async def place_call(self, order: CallOrder) -> str:
        self.placed.append(order)

        def placed() -> str:
            found = FoundCall(f"CA{len(self.calls) + 1}", "queued", self._now())
            self.calls.append((order, found))
            return found.call_id

        return await self._meets(placed)

    async def find_calls(self, *, sender: str, to: str, since: datetime) -> list[FoundCall]:
        self._look()
        return [
            found
            for order, found in reversed(self.calls)
            if (order.sender, order.to) == (sender, to) and since <= found.created_at <= self._now() - self.lag
        ]

    def _look(self) -> None:
        self.looks += 1
        if self.list_trouble:
            raise self.list_trouble.pop(0)

    async def hang_up(self, call_id: str) -> None: ...

    async def redirect(self, call_id: str, twiml: str) -> bool:
        return False

    async def start_recording(self, call_id: str, *, status_url: str) -> str:
        return "RE1"

    async def recordings(self, call_id: str) -> list[Recording]:
        return []

    async def recording(self, recording_id: str) -> bytes:
        return b""

    async def delete_recording(self, recording_id: str) -> None: ...

    async def numbers(self) -> list[CarrierNumber]:
        return []

    async def point_number(
        self, number_id: str, *, voice_url: str, fallback_url: str, status_url: str, sms_url: str
    ) -> None: ...
