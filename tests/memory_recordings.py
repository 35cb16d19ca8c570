"""The log of recordings in memory, for tests on virtual time; held to the same contract as the one in the store."""

from datetime import datetime

import msgspec

from scriza.modules.telephony.recordings.log import CallRecording, RecordingState


class MemoryRecordingLog:
    """Implements RecordingLog."""

    def __init__(self) -> None:
        self._kept: dict[str, CallRecording] = {}
        self._claims: dict[str, datetime] = {}

    async def begin(self, recording: CallRecording) -> bool:
        return self._kept.setdefault(recording.call_id, recording) is recording

    async def find(self, call_id: str) -> CallRecording | None:
        return self._kept.get(call_id)

    async def complete_at_carrier(self, call_id: str, carrier_id: str) -> bool:
        found = self._kept.get(call_id)
        if found is None or found.by != "carrier" or found.state != "open":
            return False
        self._change(found, carrier_id=carrier_id)
        return True

    async def claim(self, call_id: str, now: datetime, until: datetime) -> bool:
        found, claimed = self._kept.get(call_id), self._claims.get(call_id)
        if found is None or found.state != "open" or (claimed and claimed > now):
            return False
        self._claims[call_id] = until
        return True

    async def release(self, call_id: str) -> None:
        self._claims.pop(call_id, None)

    async def settle(
        self, call_id: str, state: RecordingState, at: datetime, *, duration_ms: int = 0, channels: int = 0
    ) -> None:
        found = self._kept.get(call_id)
        if found and found.state == "open":
            self._change(found, state=state, settled_at=at, duration_ms=duration_ms, channels=channels)

    async def open_since(self, before: datetime, limit: int) -> list[CallRecording]:
        found = [each for each in self._kept.values() if each.state == "open" and each.began_at < before]
        return sorted(found, key=lambda each: each.began_at)[:limit]

    async def kept_since(self, before: datetime, limit: int) -> list[CallRecording]:
        found = [
            each
            for each in self._kept.values()
            if each.state == "kept" and each.settled_at and each.settled_at < before
        ]
        return sorted(found, key=lambda each: each.settled_at or each.began_at)[:limit]

    async def forget(self, call_id: str) -> None:
        self._kept.pop(call_id, None)

    def _change(self, found: CallRecording, **changes: object) -> None:
        self._kept[found.call_id] = msgspec.structs.replace(found, **changes)
