"""Which clips were made in which calls, in the store."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta

from scriza.kernel.clock import WallClock, utc_now
from scriza.modules.tts.documents import AlreadyThere, CallClip
from scriza.ports.store import Store


class MongoCallClips:
    """Implements CallClips. A note is kept for twice as long as a clip is good."""

    def __init__(self, store: Store[object], oldest_clip: timedelta, clock: WallClock = utc_now) -> None:
        self._store, self._keep, self._clock = store, 2 * oldest_clip, clock

    async def note(self, workspace: str, call_id: str, key: str) -> None:
        """See CallClips."""
        expires_at = self._clock() + self._keep
        clip = CallClip(
            _id=f"{workspace}/{call_id}/{key}", workspace=workspace, call_id=call_id, key=key, expires_at=expires_at
        )
        with self._store.errors(), contextlib.suppress(AlreadyThere):
            await clip.insert()

    async def of(self, workspace: str, call_ids: Sequence[str]) -> list[str]:
        """See CallClips."""
        with self._store.errors():
            return [clip.key for clip in await CallClip.find(_made_in(workspace, call_ids)).to_list()]

    async def forget(self, workspace: str, call_ids: Sequence[str]) -> None:
        """See CallClips."""
        with self._store.errors():
            await CallClip.get_pymongo_collection().delete_many(_made_in(workspace, call_ids))


def _made_in(workspace: str, call_ids: Sequence[str]) -> dict[str, object]:
    return {"workspace": workspace, "call_id": {"$in": list(call_ids)}}
