"""The collections of usage. What was used and the ledger are insert-only; accounts and sums follow from them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

Session = AsyncClientSession
AlreadyThere = DuplicateKeyError
Row = dict[str, Any]

_IDS = 64


class UsageEvent(Document):
    """An event that was counted; its id decides that it is counted once."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    kind: str
    at: datetime
    fingerprint: str
    call_id: str
    item: str
    quantities: bytes
    """JSON: only what is not zero."""
    data: bytes
    """JSON: what the event told, without its caller."""
    prices: str
    corrections: int
    """So many times its cost was corrected."""

    class Settings:
        """Read again by workspace and time, to compute costs anew."""

        name = "usage_events"
        indexes = [IndexModel([("workspace", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)])]


class Quarantined(Document):
    """An event that came with the id of another one, or could not be read: somebody has to look at it."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    event: bytes
    reason: str
    heard_at: datetime

    class Settings:
        """Few, it is hoped."""

        name = "usage_quarantine"
        indexes = [IndexModel([("workspace", ASCENDING)])]


class LedgerEntry(Document):
    """One line of the ledger; its id is its cause."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    kind: str
    amount: int
    at: datetime
    call_id: str
    about: str

    class Settings:
        """Read by time, or by call."""

        name = "credit_ledger"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("workspace", ASCENDING), ("call_id", ASCENDING)]),
        ]


class CreditAccount(Document):
    """A workspace's credit. `available` is what its grants, its debt and its holds come to."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    grants: bytes
    """JSON."""
    debt: int
    holds: dict[str, str]
    """JSON, each as short as can be: a check of a workspace with 500 live calls reads and writes them all."""
    available: int
    spendable: int
    """What a check may still say yes to: what is available and the overdraft, or as good as no end."""
    due_at: datetime
    """Nothing of it is over before then."""
    enforced: bool
    overdraft: int
    thresholds: list[int]
    crossed: list[int]
    time_zone: str
    revision: int

    class Settings:
        """One for each workspace. Its revision is ours: a check raises it in the step in which it decides."""

        name = "credit_accounts"


class UsageSum(Document):
    """What was used in a day, an hour or a quarter of an hour in UTC, by kind, item and playbook."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    parts: bytes
    """As `grains.encode` makes them."""

    class Settings:
        """Found by their ids, which follow from the time."""

        name = "usage_sums"


class UsageCall(Document):
    """What a call has used so far, by quarter; `agent` is known when it has ended."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    agent: str
    ended: bool
    parts: dict[str, dict[str, int]]

    class Settings:
        """Found by its id."""

        name = "usage_calls"


class ToldDay(Document):
    """Up to when the days of a workspace have been told."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    until: datetime

    class Settings:
        """One for each workspace."""

        name = "usage_told_days"


USAGE_DOCUMENTS = (UsageEvent, Quarantined, LedgerEntry, CreditAccount, UsageSum, UsageCall, ToldDay)


def collection(document: type[Document]) -> AsyncCollection[Row]:
    """The driver's collection of a document, for writes of many rows."""
    return document.get_pymongo_collection()


async def by_ids(
    document: type[Document], ids: Collection[str], fields: Sequence[str] = (), session: Session | None = None
) -> list[Row]:
    """The rows of these ids. The embedded server compares each with the whole list, so a long one is asked in parts."""
    asked, found = list(ids), list[Row]()
    for start in range(0, len(asked), _IDS):
        which = {"_id": {"$in": asked[start : start + _IDS]}}
        found += await collection(document).find(which, list(fields) or None, session=session).to_list()
    return found


async def increase(document: type[Document], rows: Mapping[str, tuple[Row, Row]], session: Session) -> None:
    """Add to the rows' sums, by dotted field; a row that is not there is made of its fields first."""
    writes: Sequence[UpdateOne] = [
        UpdateOne({"_id": row_id}, {"$inc": sums, "$setOnInsert": fields}, upsert=True)
        for row_id, (fields, sums) in rows.items()
    ]
    if writes:
        await collection(document).bulk_write(writes, ordered=False, session=session)


async def put(document: type[Document], rows: Mapping[str, Row], session: Session) -> None:
    """Keep rows by their ids, in the place of those that are there."""
    writes = [ReplaceOne({"_id": row_id}, row, upsert=True) for row_id, row in rows.items()]
    if writes:
        await collection(document).bulk_write(writes, ordered=False, session=session)


async def set_fields(document: type[Document], rows: Mapping[str, Row], session: Session) -> None:
    """Change these fields of rows, by their ids."""
    writes: Sequence[UpdateOne] = [UpdateOne({"_id": row_id}, {"$set": fields}) for row_id, fields in rows.items()]
    if writes:
        await collection(document).bulk_write(writes, ordered=False, session=session)
