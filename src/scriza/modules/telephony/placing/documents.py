"""Documents of placing calls, the numbers and the lists, and how they are read and written."""

from datetime import datetime

import msgspec
from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel

from scriza.modules.telephony.documents import Session
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.callbacks import Callback
from scriza.modules.telephony.placing.intents import CallWish, Intent, State, TextWish
from scriza.ports.call_desk import BarredNumber, PhoneNumber


class CarrierIntent(Document):
    """What the carrier is to do, once."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    kind: str
    sender: str
    to: str
    who: str = ""
    """The pseudonym of `to`; empty when that is erased."""
    wish: str
    """JSON: variables may have names that the store's documents do not allow."""
    recorded_at: datetime
    day: str
    """Of the caps that it counts in."""
    expires_at: datetime
    due_at: datetime
    open_until: datetime
    """A call that is not over by then has ended without anybody having told."""
    state: State
    settled: bool
    """Done or refused: nobody takes it up any more."""
    asked_at: datetime | None
    sure_at: datetime | None
    asks: int
    carrier_id: str
    reason: str
    cost_micro_usd: int
    over: bool
    version: int
    touched_by: str

    class Settings:
        """Found by the carrier's id, by what is due, and by what is open."""

        name = "carrier_intents"
        indexes = [
            IndexModel([("carrier_id", ASCENDING)]),
            IndexModel([("settled", ASCENDING), ("due_at", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("over", ASCENDING), ("kind", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("who", ASCENDING)]),
        ]


class PlacingDay(Document):
    """What a workspace has spent on a day. Each admission writes it, so that two cannot take the same last place."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    day: str
    spent_micro_usd: int
    version: int = 0
    """Counts its changes, so that also an admission that costs nothing is one."""

    class Settings:
        """One for each workspace."""

        name = "placing_days"


class OurNumber(Document):
    """One of our phone numbers and where it leads."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    settings: dict[str, str]

    class Settings:
        """Listed by workspace."""

        name = "phone_numbers"
        indexes = [IndexModel([("workspace", ASCENDING)])]


class Barred(Document):
    """A number on a do-not-call list; where it is erased, its pseudonym is in its place, in `_id` too."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    number: str
    who: str = ""
    """The pseudonym of the number."""
    source: str
    note: str
    since: datetime

    class Settings:
        """Paged by number."""

        name = "do_not_call"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("number", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("who", ASCENDING)]),
        ]


class CallSwitch(Document):
    """The switch that stops all calls."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    stopped: bool
    since: datetime | None

    class Settings:
        """There is one."""

        name = "call_switch"


class PromisedCallback(Document):
    """A call that was promised in a call."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    due_at: datetime
    sender: str
    to: str
    who: str = ""
    """The pseudonym of `to`."""
    playbook: str
    reason: str
    variables: str
    """JSON: variables may have names that the store's documents do not allow."""
    state: str
    refusal: str

    class Settings:
        """Found by what is due, and by whom it is to."""

        name = "callbacks"
        indexes = [
            IndexModel([("state", ASCENDING), ("due_at", ASCENDING)]),
            IndexModel([("workspace", ASCENDING), ("who", ASCENDING)]),
        ]


PLACING_DOCUMENTS: tuple[type[Document], ...] = (
    CarrierIntent,
    PlacingDay,
    OurNumber,
    Barred,
    CallSwitch,
    PromisedCallback,
)


async def insert_intent(intent: Intent, who: str, mark: str, session: Session) -> None:
    """Keep a new one. Raises AlreadyThere."""
    fields = _stored(intent, who)
    await CarrierIntent(**fields, touched_by=mark, _id=intent.intent_id, day=day_of(intent)).insert(session=session)


async def replace_intent(old: Intent, new: Intent, who: str, mark: str, session: Session) -> bool:
    """Put `new` in the place of `old`; False when it is not `old` any more."""
    changed = {**_stored(new, who), "touched_by": mark}
    result = await CarrierIntent.get_pymongo_collection().update_one(
        {"_id": old.intent_id, "version": old.version}, {"$set": changed}, session=session
    )
    return result.matched_count == 1


async def read_intents(which: dict[str, object], limit: int = 0) -> list[Intent]:
    """Those of this description, the longest due first."""
    found = CarrierIntent.find(which).sort("+due_at")
    return [_intent(document) for document in await (found.limit(limit) if limit else found).to_list()]


async def bears(intent_id: str, mark: str) -> bool:
    """Whether the intent's last change left this mark."""
    return await CarrierIntent.find_one({"_id": intent_id, "touched_by": mark}) is not None


async def standing(intent: Intent, session: Session) -> Standing:
    """The workspace's caps before this intent; what is written to its day afterwards settles who was first."""
    live = {
        "workspace": intent.workspace,
        "over": False,
        "kind": "call",
        "open_until": {"$gt": intent.recorded_at},
    }
    calls = await CarrierIntent.find(live, session=session).to_list()
    day = await PlacingDay.find_one({"_id": intent.workspace, "day": day_of(intent)}, session=session)
    return Standing(
        open_calls=len(calls),
        calling=any(call.to == intent.to for call in calls),
        spent_micro_usd=0 if day is None else day.spent_micro_usd,
    )


async def spend(intent: Intent, micro_usd: int, session: Session) -> None:
    """Add to the day of a workspace that the intent belongs to; on a new day from nothing.

    Raises AlreadyThere when another one begins the workspace's first day in the same moment.
    """
    days, day = PlacingDay.get_pymongo_collection(), day_of(intent)
    ours, changed = {"_id": intent.workspace}, {"version": 1}
    for which, update in (
        (ours | {"day": day}, {"$inc": {"spent_micro_usd": micro_usd} | changed}),
        (ours | {"day": {"$lt": day}}, {"$set": {"day": day, "spent_micro_usd": micro_usd}, "$inc": changed}),
        (ours, {"$inc": changed}),  # a day that is past: what it cost is of no more interest
    ):
        if (await days.update_one(which, update, session=session)).matched_count:
            return
    first = PlacingDay(_id=intent.workspace, workspace=intent.workspace, day=day, spent_micro_usd=micro_usd)
    await first.insert(session=session)


def day_of(intent: Intent) -> str:
    """The day, in UTC, in whose caps an intent counts."""
    return intent.recorded_at.date().isoformat()


def number_of(document: OurNumber) -> PhoneNumber:
    """The number as it is told outside."""
    return msgspec.convert({**document.settings, "number": document.id}, PhoneNumber)


def barred_of(document: Barred) -> BarredNumber:
    """The entry as it is told outside."""
    told = {"number": document.number, "source": document.source, "note": document.note, "since": document.since}
    return msgspec.convert(told, BarredNumber)


async def erase_barred(entry: Barred, session: Session) -> None:
    """Put the pseudonym in the place of the number, and leave the note out."""
    entries = Barred.get_pymongo_collection()
    kept = entry.model_dump(exclude={"id", "revision_id"}) | {"number": entry.who, "note": ""}
    there = {"_id": f"{entry.workspace}/{entry.who}"}
    await entries.update_one(there, {"$setOnInsert": kept}, upsert=True, session=session)
    await entries.delete_one({"_id": entry.id}, session=session)


def promised(callback: Callback, who: str) -> PromisedCallback:
    """A callback to this person, as the store keeps it."""
    fields = msgspec.structs.asdict(callback)
    del fields["callback_id"]
    fields["variables"] = msgspec.json.encode(callback.variables).decode()
    return PromisedCallback(_id=callback.callback_id, who=who, **fields)


def callback_of(document: PromisedCallback) -> Callback:
    """A callback as it was kept."""
    fields = document.model_dump(exclude={"id", "who", "revision_id", "variables"})
    return Callback(callback_id=document.id, variables=_VARIABLES.decode(document.variables), **fields)


def _stored(intent: Intent, who: str) -> dict[str, object]:
    fields = msgspec.structs.asdict(intent)
    del fields["intent_id"]
    return {
        **fields,
        "who": who,
        "wish": msgspec.json.encode(intent.wish).decode(),
        "kind": "call" if isinstance(intent.wish, CallWish) else "text",
        "open_until": intent.open_until,
        "settled": intent.settled,
    }


def _intent(document: CarrierIntent) -> Intent:
    fields = document.model_dump(exclude=_OURS)
    return Intent(intent_id=document.id, wish=_WISH.decode(document.wish), **fields)


_OURS = {"id", "kind", "who", "day", "open_until", "settled", "touched_by", "wish", "revision_id"}
"""Fields that an intent has not, or has in another form."""
_VARIABLES = msgspec.json.Decoder(dict[str, str])
_WISH: msgspec.json.Decoder[CallWish | TextWish] = msgspec.json.Decoder(CallWish | TextWish)
