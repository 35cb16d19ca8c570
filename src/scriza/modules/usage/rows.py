"""Rows of the store for events and for lines of the ledger, and back. Pure."""

from datetime import datetime

import msgspec

from scriza.modules.usage.account import Entry
from scriza.modules.usage.documents import Row
from scriza.modules.usage.reading import Quantities, Used, read_data
from scriza.ports.telephony import CallCompleted

_encode = msgspec.json.encode


def event_row(used: Used) -> Row:
    """An event that is counted."""
    return {
        "_id": used.event_id,
        "workspace": used.workspace,
        "kind": used.kind,
        "at": used.at,
        "fingerprint": used.fingerprint,
        "call_id": used.call_id,
        "item": used.item,
        "quantities": _encode(used.quantities),
        "data": _encode(used.data),
        "prices": used.prices,
        "corrections": 0,
    }


def used_of(row: Row) -> Used:
    """What was read of the event of such a row."""
    data = read_data(row["kind"], row["data"])
    return Used(
        event_id=str(row["_id"]),
        workspace=row["workspace"],
        kind=row["kind"],
        at=row["at"],
        fingerprint=row["fingerprint"],
        call_id=row["call_id"],
        agent=data.playbook if isinstance(data, CallCompleted) else "",
        item=row["item"],
        quantities=msgspec.json.decode(row["quantities"], type=Quantities),
        data=data,
        prices=row["prices"],
    )


def priced_row(row: Row, used: Used) -> Row:
    """What changes of the row when the event has other quantities, or other prices."""
    quantities = _encode(used.quantities)
    corrections = row["corrections"] + (quantities != row["quantities"])
    return {"quantities": quantities, "prices": used.prices, "corrections": corrections}


def correction(row: Row, more: Used, now: datetime) -> Entry:
    """The line of the ledger for what the event costs more than before."""
    return Entry(
        key=f"correction:{more.event_id}/{row['corrections'] + 1}",
        kind="correction",
        amount=-more.quantities.cost_micro_usd,
        at=now,
        call_id=more.call_id,
        about=more.item,
    )


def entry_id(workspace: str, entry: Entry) -> str:
    """The id of a line of the ledger: its cause."""
    return f"{workspace}/{entry.key}"


def entry_row(workspace: str, entry: Entry) -> Row:
    """A line of the ledger."""
    fields = msgspec.structs.asdict(entry)
    del fields["key"]
    return {"_id": entry_id(workspace, entry), "workspace": workspace, **fields}
