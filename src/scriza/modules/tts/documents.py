"""The document of a clip that was made in a call."""

from datetime import datetime

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

AlreadyThere = DuplicateKeyError


class CallClip(Document):
    """Inserted once, never changed."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    """Workspace, call and key."""
    workspace: str
    call_id: str
    key: str
    expires_at: datetime
    """By then the clip itself is too old to be found."""

    class Settings:
        """Read by call."""

        name = "call_clips"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("call_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


SPEECH_DOCUMENTS: tuple[type[Document], ...] = (CallClip,)
