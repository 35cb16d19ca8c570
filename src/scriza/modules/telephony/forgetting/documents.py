"""The document of an order to forget somebody, and how calls and messages are erased."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel

from scriza.kernel.events import Event
from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.documents import (
    Call,
    CallEventLog,
    CallMessage,
    CallTurn,
    Session,
    WebhookAnswer,
    assignment_of,
    update_call,
)


class ForgettingOrder(Document):
    """An order that is not carried out yet; it holds a pseudonym and calls' ids, and no number."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """The event's."""
    workspace: str
    event: str
    """JSON."""
    asked_at: datetime
    erased: dict[str, int] = {}

    class Settings:
        """Taken up by age."""

        name = "forgetting_orders"
        indexes = [IndexModel([("asked_at", ASCENDING)])]


FORGETTING_DOCUMENTS: tuple[type[Document], ...] = (ForgettingOrder,)

_OF_A_CALL: Mapping[str, type[Document]] = {
    "turns": CallTurn,
    "event_logs": CallEventLog,
    "messages": CallMessage,
    "answers": WebhookAnswer,
}


async def read_known_calls(workspace: str, who: str, call_ids: list[str], before: datetime) -> list[Call]:
    """Calls that are not erased: those of these ids, and those of this person, if it is one, that began by then."""
    left = {"workspace": workspace, "erased": {"$ne": True}}
    named = await Call.find({"call_id": {"$in": call_ids}, **left}).to_list() if call_ids else []
    theirs = await Call.find({"who": who, "started_at": {"$lte": before}, **left}).to_list() if who else []
    return list({call.call_id: call for call in (*named, *theirs)}.values())


async def erase(call: Call, session: Session) -> dict[str, int]:
    """Erase what was said in a call that has ended, and who was on the other side; returns how much there was."""
    other_side = "caller" if call.direction == "inbound" else "callee"
    nothing: dict[str, object] = dict.fromkeys((other_side, "who", "last_transcript", "last_reply", "whisper"), "")
    led = Assignment(assignment_of(call).playbook)
    nothing |= {"transfer_to": "", "turns": [], "assignment": msgspec.json.encode(led).decode(), "erased": True}
    ended = {"call_id": call.call_id, "closed_by": {"$ne": ""}, "erased": {"$ne": True}}
    if not await update_call(ended, {"$set": nothing}, session):
        return {}
    erased = {"calls": 1}
    for kind, document in _OF_A_CALL.items():
        theirs = document.get_pymongo_collection().delete_many({"call_id": call.call_id}, session=session)
        erased[kind] = (await theirs).deleted_count
    return erased


async def delete_messages(workspace: str, who: str, before: datetime, session: Session) -> int:
    """Delete what a person has written by then; returns how much it was."""
    theirs = {"workspace": workspace, "who": who, "at": {"$lte": before}}
    return (await CallMessage.get_pymongo_collection().delete_many(theirs, session=session)).deleted_count


async def count(order_id: str, erased: Mapping[str, int], session: Session | None = None) -> None:
    """Add to an order's counts."""
    more = {f"erased.{kind}": number for kind, number in erased.items() if number}
    if more:
        await ForgettingOrder.get_pymongo_collection().update_one({"_id": order_id}, {"$inc": more}, session=session)


def order_of(event: Event) -> ForgettingOrder:
    """An order as it is kept."""
    text = msgspec.json.encode(event).decode()
    return ForgettingOrder(_id=event.id, workspace=event.workspace, event=text, asked_at=event.time)
