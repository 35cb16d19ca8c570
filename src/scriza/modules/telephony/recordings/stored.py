"""The log of recordings in the store."""

from datetime import datetime

from scriza.modules.telephony.documents import AlreadyThere, Session
from scriza.modules.telephony.recordings import documents
from scriza.modules.telephony.recordings.log import CallRecording, RecordingState
from scriza.ports.store import Store


class MongoRecordingLog:
    """Implements RecordingLog. Each change is one conditional update, so none needs a transaction."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def begin(self, recording: CallRecording) -> bool:
        """See RecordingLog."""
        with self._store.errors():
            try:
                await documents.insert(recording)
            except AlreadyThere:
                return False
            return True

    async def find(self, call_id: str) -> CallRecording | None:
        """See RecordingLog."""
        with self._store.errors():
            return await documents.read(call_id)

    async def complete_at_carrier(self, call_id: str, carrier_id: str) -> bool:
        """See RecordingLog."""
        with self._store.errors():
            which: dict[str, object] = {"_id": call_id, "by": "carrier", "state": "open"}
            return await documents.update(which, {"carrier_id": carrier_id})

    async def claim(self, call_id: str, now: datetime, until: datetime) -> bool:
        """See RecordingLog."""
        free: dict[str, object] = {"$or": [{"claimed_until": None}, {"claimed_until": {"$lte": now}}]}
        with self._store.errors():
            return await documents.update({"_id": call_id, "state": "open"} | free, {"claimed_until": until})

    async def release(self, call_id: str) -> None:
        """See RecordingLog."""
        with self._store.errors():
            await documents.update({"_id": call_id}, {"claimed_until": None})

    async def settle(
        self, call_id: str, state: RecordingState, at: datetime, *, duration_ms: int = 0, channels: int = 0
    ) -> None:
        """See RecordingLog."""
        values: dict[str, object] = {"state": state, "settled_at": at, "duration_ms": duration_ms, "channels": channels}
        with self._store.errors():
            await documents.update({"_id": call_id, "state": "open"}, values)

    async def open_since(self, before: datetime, limit: int) -> list[CallRecording]:
        """See RecordingLog."""
        with self._store.errors():
            return await documents.read_before("open", "began_at", before, limit)

    async def kept_since(self, before: datetime, limit: int) -> list[CallRecording]:
        """See RecordingLog."""
        with self._store.errors():
            return await documents.read_before("kept", "settled_at", before, limit)

    async def forget(self, call_id: str) -> None:
        """See RecordingLog."""
        with self._store.errors():
            await documents.delete(call_id)
