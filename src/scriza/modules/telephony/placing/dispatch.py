"""Asks the carrier for what was intended: once, with a look-up before anything is repeated.

Several processes may take up the same intent; whoever moves it on in the book first does the work.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Literal, Protocol

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import DeadlineExceeded, Forbidden, RateLimited, ScrizaError
from scriza.kernel.principal import Principal, acting, current
from scriza.modules.telephony.placing.books import IntentBook
from scriza.modules.telephony.placing.intents import (
    Act,
    AnswerLost,
    Asked,
    CallWish,
    Done,
    Ended,
    Event,
    Intent,
    LookUpFailed,
    NothingFound,
    Postponed,
    Refused,
    TextWish,
    after,
    due,
    takes,
)
from scriza.ports.call_desk import RefusalReason
from scriza.ports.carrier import CallOrder, Carrier

ORDER = "order"
"""In a query: the intent that a call was placed for."""
OPTED_OUT = "opted-out"
"""The reason of a message that the carrier did not send because the person has told it STOP."""

_ASK_SECONDS = 20.0
"""Well within an intent's lease, so that nobody looks for what is being asked for still."""
_LOOK_SECONDS = 15.0
_SKEW = timedelta(seconds=5)
"""By which the carrier's clock may be behind ours."""
_PATIENCE_SECONDS = 2
_BATCH = 50
_COLLISIONS = 5

_log = structlog.get_logger()


class Permission(Protocol):
    """Knows what may still be done."""

    async def refused(self, intent: Intent) -> RefusalReason | Literal[""]:
        """Asked right before the carrier is: empty, or the reason why not any more."""
        ...

    async def opted_out(self, intent: Intent) -> None:
        """The carrier sends this person nothing more of ours, as they have told it."""
        ...


class Links:
    """The URLs of ours that a call is placed with."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")

    def order(self, intent: Intent, wish: CallWish) -> CallOrder:
        """The carrier's order for a call."""
        told = f"?{ORDER}={intent.intent_id}"
        return CallOrder(
            sender=intent.sender,
            to=intent.to,
            url=f"{self._public_url}/voice{told}",
            fallback_url=f"{self._public_url}/voice/fallback",
            status_url=f"{self._public_url}/status-callback{told}",
            answered_by_url=f"{self._public_url}/voice/answered-by" if wish.detect_machine else "",
            ring_seconds=wish.ring_seconds,
            longest_seconds=wish.longest_seconds,
        )


class Dispatcher:
    """Carries intents out."""

    def __init__(
        self, book: IntentBook, carrier: Carrier, links: Links, permission: Permission, clock: WallClock = utc_now
    ) -> None:
        self._book, self._carrier, self._links, self._clock = book, carrier, links, clock
        self._permission = permission

    async def settle(self, intent: Intent) -> Intent:
        """Do whatever is due about an intent, until nothing is; returns how far it has come.

        Raises what the book raises: the intent is then found by `settle_due`.
        """
        while act := due(intent, self._clock()):
            moved = await self._do(act, intent)
            if moved is None:  # somebody else is at it
                return await self._book.find(intent.intent_id) or intent
            intent = moved
        return intent

    async def settle_due(self) -> int:
        """Take up what is due in any workspace, such as what a process has left that was killed; returns how many."""
        found = await self._book.due(self._clock(), _BATCH)
        for intent in found:
            with acting(Principal(intent.workspace, subject="telephony"), request_id=current().request_id):
                try:
                    await self.settle(intent)
                except ScrizaError as error:
                    _log.warning("intent.not_settled", intent=intent.intent_id, reason=error.detail)
        return len(found)

    async def proven(self, intent_id: str, carrier_id: str) -> Intent | None:
        """The call of this intent has come to us, whatever the carrier's answer was; none for an unknown intent."""
        return await self._happened(intent_id, Done(carrier_id))

    async def ended(self, intent_id: str, cost_micro_usd: int) -> Intent | None:
        """The call of this intent has ended."""
        return await self._happened(intent_id, Ended(cost_micro_usd))

    async def _happened(self, intent_id: str, event: Event) -> Intent | None:
        for _ in range(_COLLISIONS):
            intent = await self._book.find(intent_id)
            if intent is None or not takes(intent, event):
                if intent and isinstance(event, Done) and intent.carrier_id != event.carrier_id:
                    _log.error("intent.done_twice", intent=intent_id, first=intent.carrier_id, second=event.carrier_id)
                return intent
            if moved := await self._move(intent, event):
                return moved
        return None

    async def _do(self, act: Act, intent: Intent) -> Intent | None:
        match act:
            case "ask":
                if reason := await self._permission.refused(intent):
                    return await self._move(intent, Refused(reason))
                claimed = await self._move(intent, Asked())
                return claimed and await self._told(claimed, await self._ask(claimed))
            case "look_up":
                return await self._move(intent, await self._look_up(intent))
            case "expire":
                return await self._move(intent, Refused("expired"))

    async def _told(self, intent: Intent, answer: Event) -> Intent | None:
        """The carrier has answered. What it has done is done, also when the call was here before the answer."""
        if isinstance(answer, Refused) and answer.reason == OPTED_OUT:
            await self._permission.opted_out(intent)
        moved = await self._move(intent, answer)
        if moved is None and isinstance(answer, Done):
            return await self._happened(intent.intent_id, answer)
        return moved

    async def _move(self, intent: Intent, event: Event) -> Intent | None:
        moved = after(intent, event, self._clock())
        if not await self._book.change(intent, moved):
            _log.info("intent.moved_elsewhere", intent=intent.intent_id, missed=type(event).__name__)
            return None
        _log.info("intent.moved", intent=intent.intent_id, state=moved.state, asks=moved.asks, reason=moved.reason)
        return moved

    async def _ask(self, intent: Intent) -> Event:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                match intent.wish:
                    case CallWish() as wish:
                        return Done(await self._carrier.place_call(self._links.order(intent, wish)))
                    case TextWish(text):
                        return Done(await self._carrier.send_sms(sender=intent.sender, to=intent.to, text=text))
        except (DeadlineExceeded, TimeoutError):
            return AnswerLost()
        except RateLimited as error:
            return Postponed(self._later(error.retry_after or _PATIENCE_SECONDS))
        except Forbidden as error:
            return Refused(OPTED_OUT if isinstance(intent.wish, TextWish) else error.detail)
        except ScrizaError as error:
            if error.retry_after:  # nothing was done, and later it may be
                return Postponed(self._later(error.retry_after))
            return Refused(error.detail)

    async def _look_up(self, intent: Intent) -> Event:
        """Find what was asked for in the carrier's list, however often: the first that nothing else accounts for."""
        since = intent.recorded_at - _SKEW
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                ids = await self._listed(intent, since)
        except (ScrizaError, TimeoutError) as error:
            _log.warning("intent.look_up_failed", intent=intent.intent_id, error=type(error).__name__)
            return LookUpFailed()
        others = await self._book.owned(ids)
        mine = [carrier_id for carrier_id in ids if carrier_id not in others]
        return Done(mine[0]) if mine else NothingFound()

    async def _listed(self, intent: Intent, since: datetime) -> list[str]:
        """Oldest first."""
        match intent.wish:
            case CallWish():
                calls = await self._carrier.find_calls(sender=intent.sender, to=intent.to, since=since)
                return [call.call_id for call in reversed(calls)]
            case TextWish(text):
                sent = await self._carrier.find_messages(sender=intent.sender, to=intent.to, since=since)
                return [each.message_id for each in reversed(sent) if each.text == text]

    def _later(self, seconds: int) -> datetime:
        return self._clock() + timedelta(seconds=seconds)
