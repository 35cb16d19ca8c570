"""The document of a recording, and how it is read and written."""

from datetime import datetime
from typing import Literal

from beanie import Document, SortDirection
from pydantic import Field
from pymongo import ASCENDING, IndexModel

from scriza.modules.telephony.recordings.log import CallRecording, RecordedBy, RecordingState


class Recording(Document):
    """A call's recording; its id is the call's."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    by: RecordedBy
    began_at: datetime
    state: RecordingState = "open"
    carrier_id: str = ""
    duration_ms: int = 0
    channels: int = 0
    settled_at: datetime | None = None
    claimed_until: datetime | None = None

    class Settings:
        """Read by call, and by what is still to be done."""

        name = "call_recordings"
        indexes = [
            IndexModel([("state", ASCENDING), ("began_at", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("settled_at", ASCENDING)]),
        ]


RECORDING_DOCUMENTS: tuple[type[Document], ...] = (Recording,)


async def insert(recording: CallRecording) -> None:
    """Raises AlreadyThere."""
    await Recording(
        _id=recording.call_id, workspace=recording.workspace, by=recording.by, began_at=recording.began_at
    ).insert()


async def read(call_id: str) -> CallRecording | None:
    """The call's recording."""
    found = await Recording.find_one({"_id": call_id})
    return found and told(found)


async def read_before(
    state: RecordingState, field: Literal["began_at", "settled_at"], before: datetime, limit: int
) -> list[CallRecording]:
    """Recordings in this state whose time is before then, the oldest first."""
    wanted = Recording.find({"state": state, field: {"$lt": before}})
    return [told(found) for found in await wanted.sort((field, SortDirection.ASCENDING)).limit(limit).to_list()]


async def update(which: dict[str, object], values: dict[str, object]) -> bool:
    """Set the values where the description fits; False when there is none."""
    result = await Recording.get_pymongo_collection().update_one(which, {"$set": values})
    return result.matched_count == 1


async def delete(call_id: str) -> None:
    """Forget it."""
    await Recording.get_pymongo_collection().delete_one({"_id": call_id})


def told(found: Recording) -> CallRecording:
    """The recording without what is the store's own."""
    return CallRecording(
        call_id=found.id,
        workspace=found.workspace,
        by=found.by,
        began_at=found.began_at,
        state=found.state,
        carrier_id=found.carrier_id,
        duration_ms=found.duration_ms,
        channels=found.channels,
        settled_at=found.settled_at,
    )
