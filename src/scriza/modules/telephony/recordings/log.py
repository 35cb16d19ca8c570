"""Which calls are recorded, and how far their recordings are."""

from datetime import datetime
from typing import Literal, Protocol

import msgspec

RecordedBy = Literal["ours", "carrier"]
RecordingState = Literal["open", "kept", "lost"]
"""`open` until the recording is one file (`kept`), or it is certain that there will be none (`lost`)."""
RECORDINGS = "recordings"
"""The folder of all recordings."""


class CallRecording(msgspec.Struct, frozen=True):
    """A call's recording."""

    call_id: str
    workspace: str
    by: RecordedBy
    began_at: datetime
    state: RecordingState = "open"
    carrier_id: str = ""
    """The carrier's id of its recording, once that is complete there."""
    duration_ms: int = 0
    channels: int = 0
    settled_at: datetime | None = None
    """When it stopped being open."""

    @property
    def folder(self) -> str:
        """Under which the segments are, as ``STREAM-NUMBER``."""
        return f"{RECORDINGS}/{self.workspace}/{self.call_id}"

    @property
    def file(self) -> str:
        """The key of the one file."""
        return f"{self.folder}.wav"


class RecordingLog(Protocol):
    """Keeps that. Every method is idempotent."""

    async def begin(self, recording: CallRecording) -> bool:
        """A call is being recorded: True the first time."""
        ...

    async def find(self, call_id: str) -> CallRecording | None:
        """The call's recording, none when it was not recorded."""
        ...

    async def complete_at_carrier(self, call_id: str, carrier_id: str) -> bool:
        """The carrier's recording is complete; False when the carrier does not record this call, or it is settled."""
        ...

    async def claim(self, call_id: str, now: datetime, until: datetime) -> bool:
        """True for the one, in any process, who makes the file of an open recording now, and until then at most."""
        ...

    async def release(self, call_id: str) -> None:
        """It was not made, and somebody may try again."""
        ...

    async def settle(
        self, call_id: str, state: RecordingState, at: datetime, *, duration_ms: int = 0, channels: int = 0
    ) -> None:
        """It is kept, or lost."""
        ...

    async def open_since(self, before: datetime, limit: int) -> list[CallRecording]:
        """Recordings that began before then and are still open, the oldest first."""
        ...

    async def kept_since(self, before: datetime, limit: int) -> list[CallRecording]:
        """Recordings that were kept before then."""
        ...

    async def forget(self, call_id: str) -> None:
        """There is no recording any more."""
        ...
