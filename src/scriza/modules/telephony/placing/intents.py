"""What we mean to have the carrier do, once: the life of a call or a message from the wish to its proof. Pure.

No carrier promises that a request which is repeated is carried out once. So an intent is recorded before the carrier is
asked, and asked once; when the answer does not come, or whoever asked is gone, the carrier's own list is looked at, and
only when nothing is found there the carrier is asked again.

| state | means | goes on by |
|---|---|---|
| waiting | the carrier has done nothing, as far as anybody can know | asking, at `due_at` |
| asking | somebody asks the carrier in this moment, until `due_at` | the answer; after `due_at` a look-up |
| unsure | the carrier was asked and may have done it | a look-up at `due_at` |
| done | the carrier has done it: `carrier_id` | for a call: its end |
| refused | it was not done and will not be: `reason` | only by a proof that it was done after all |
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, assert_never

import msgspec

from scriza.kernel.ids import derived_id
from scriza.modules.telephony.call_log import Assignment

State = Literal["waiting", "asking", "unsure", "done", "refused"]

LEASE = timedelta(seconds=30)
"""So long after it asked, whoever asks is taken to be gone."""
VISIBLE = timedelta(seconds=15)
"""So long after nobody asks any more, what the carrier has done stands in its list."""
LOOK_AGAIN = timedelta(seconds=5)
GIVE_UP = timedelta(hours=6)
"""So long after its time an intent that cannot be looked up is left alone."""
MOST_ASKS = 3
_MARGIN = timedelta(minutes=2)


class CallWish(msgspec.Struct, frozen=True, tag="call"):
    """A call to be placed."""

    assignment: Assignment
    detect_machine: bool = True
    ring_seconds: int = 30
    longest_seconds: int = 1800


class TextWish(msgspec.Struct, frozen=True, tag="text"):
    """A text message to be sent."""

    text: str


class Intent(msgspec.Struct, frozen=True):
    """One wish and how far it has come. Numbers are E.164; `version` counts its changes."""

    intent_id: str
    workspace: str
    sender: str
    to: str
    wish: CallWish | TextWish
    recorded_at: datetime
    expires_at: datetime
    """The carrier is not asked later than this."""
    due_at: datetime
    """When it is taken up by anybody who finds it."""
    state: State = "waiting"
    asked_at: datetime | None = None
    """When the carrier began to be asked the last time."""
    sure_at: datetime | None = None
    """From then on, what does not stand in the carrier's list was not done."""
    asks: int = 0
    carrier_id: str = ""
    reason: str = ""
    cost_micro_usd: int = 0
    """Reserved at first, for the longest that a call may take; what it cost when it is over."""
    over: bool = False
    """Nothing more will happen: refused, or sent, or the call has ended."""
    version: int = 0

    @property
    def settled(self) -> bool:
        """Whether it is done or refused: there is nothing to be done about it."""
        return self.state in {"done", "refused"}

    @property
    def open_until(self) -> datetime:
        """A call of which nobody tells the end has had its longest time by then."""
        longest = timedelta(0)
        if isinstance(self.wish, CallWish):
            longest = timedelta(seconds=self.wish.ring_seconds + self.wish.longest_seconds) + _MARGIN
        return (self.asked_at or self.expires_at) + longest


def intent_of(workspace: str, order_id: str) -> str:
    """The id of the intent of an order, by the name that the client gave it."""
    return derived_id("ord", workspace, order_id)


class Asked(msgspec.Struct, frozen=True):
    """The carrier is going to be asked now."""


class Done(msgspec.Struct, frozen=True):
    """The carrier has done it: by its answer, its list, or because the call itself has come to us."""

    carrier_id: str


class Refused(msgspec.Struct, frozen=True):
    """The carrier, or ourselves before it was asked, said no."""

    reason: str


class Postponed(msgspec.Struct, frozen=True):
    """The carrier has done nothing and wants to be asked later."""

    until: datetime


class AnswerLost(msgspec.Struct, frozen=True):
    """The carrier was asked; whether it did it is not known."""


class NothingFound(msgspec.Struct, frozen=True):
    """The carrier's list does not hold it."""


class LookUpFailed(msgspec.Struct, frozen=True):
    """The carrier's list could not be had."""


class Ended(msgspec.Struct, frozen=True):
    """The call has ended, and cost this."""

    cost_micro_usd: int


Event = Asked | Done | Refused | Postponed | AnswerLost | NothingFound | LookUpFailed | Ended
Act = Literal["ask", "look_up", "expire"]

_TAKES: Mapping[State, tuple[type[Event], ...]] = {
    "waiting": (Asked, Refused, Done),
    "asking": (Done, Refused, Postponed, AnswerLost, NothingFound, LookUpFailed),
    "unsure": (Done, NothingFound, LookUpFailed),
    "done": (Ended,),
    "refused": (Done,),
}


def takes(intent: Intent, event: Event) -> bool:
    """Whether this can happen to it. What cannot is old news: somebody else was first."""
    return isinstance(event, _TAKES[intent.state]) and not (intent.state == "done" and intent.over)


def due(intent: Intent, now: datetime) -> Act | None:
    """What is to be done about it now."""
    if intent.settled or now < intent.due_at:
        return None
    if intent.state == "waiting":
        return "ask" if now < intent.expires_at else "expire"
    return "look_up"


def after(intent: Intent, event: Event, now: datetime) -> Intent:
    """The intent after this. Raises ValueError for what it does not take."""
    if not takes(intent, event):
        raise ValueError(f"{intent.state} takes no {type(event).__name__}")
    return msgspec.structs.replace(intent, version=intent.version + 1, **_changes(intent, event, now))


def can_be_erased(intent: Intent, now: datetime) -> bool:
    """Whether nothing will be looked up or told about it any more."""
    return intent.settled and (intent.over or intent.open_until <= now)


def erased(intent: Intent) -> Intent:
    """Without who it was about and what it said. It stays what was done once, and what it cost."""
    match intent.wish:
        case CallWish() as call:
            wish: CallWish | TextWish = msgspec.structs.replace(call, assignment=Assignment(call.assignment.playbook))
        case TextWish():
            wish = TextWish("")
        case _:
            assert_never(intent.wish)
    return msgspec.structs.replace(intent, to="", wish=wish, version=intent.version + 1)


def _changes(intent: Intent, event: Event, now: datetime) -> dict[str, object]:
    match event:
        case Asked():
            gone = now + LEASE
            asked = {"state": "asking", "asked_at": now, "asks": intent.asks + 1}
            return asked | {"due_at": gone, "sure_at": gone + VISIBLE}
        case Done():
            sent = isinstance(intent.wish, TextWish)
            return {"state": "done", "carrier_id": event.carrier_id, "reason": "", "over": sent}
        case Refused():
            return _refused(event.reason)
        case Postponed():
            late = event.until >= intent.expires_at
            return _refused("expired") if late else {"state": "waiting", "due_at": max(now, event.until)}
        case AnswerLost():
            return {"state": "unsure", "due_at": now, "sure_at": now + VISIBLE}
        case NothingFound():
            return _not_found(intent, now)
        case LookUpFailed():
            if now >= intent.expires_at + GIVE_UP:
                return _refused("unknown")
            return {"state": "unsure", "due_at": now + LOOK_AGAIN}
        case Ended():
            return {"cost_micro_usd": event.cost_micro_usd, "over": True}
        case _:
            assert_never(event)


def _not_found(intent: Intent, now: datetime) -> dict[str, object]:
    if intent.sure_at is not None and now < intent.sure_at:
        return {"state": "unsure", "due_at": min(now + LOOK_AGAIN, intent.sure_at)}
    if intent.asks >= MOST_ASKS:
        return _refused("unanswered")
    if now >= intent.expires_at:
        return _refused("expired")
    return {"state": "waiting", "due_at": now}


def _refused(reason: str) -> dict[str, object]:
    return {"state": "refused", "reason": reason, "cost_micro_usd": 0, "over": True}
