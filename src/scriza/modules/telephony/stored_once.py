"""What must not happen twice, remembered in the store."""

from datetime import datetime, timedelta

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.principal import current
from scriza.modules.telephony.documents import AlreadyThere, Claim, Session, WebhookAnswer
from scriza.ports.store import Store

_KEEP = timedelta(days=1)


class MongoOnce:
    """Implements Once on the store."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def claim(self, key: str, expires_at: datetime) -> bool:
        """See Once."""
        with self._store.errors():
            try:
                await Claim(_id=key, workspace=_workspace(), expires_at=expires_at).insert()
            except AlreadyThere:
                expired = {"_id": key, "expires_at": {"$lte": self._clock()}}
                taken = await Claim.get_pymongo_collection().update_one(expired, {"$set": {"expires_at": expires_at}})
                return taken.matched_count == 1
            return True

    async def answer(self, key: str) -> bytes | None:
        """See Once."""
        with self._store.errors():
            kept = await WebhookAnswer.find_one({"_id": key})
            return None if kept is None else kept.answer

    async def keep_answer(self, key: str, answer: bytes) -> bytes:
        """See Once."""
        expires_at = self._clock() + _KEEP
        with self._store.errors():
            try:
                about = {"workspace": _workspace(), "call_id": current().call_id}
                await WebhookAnswer(_id=key, **about, answer=answer, expires_at=expires_at).insert()
            except AlreadyThere:
                return await self.answer(key) or answer
            return answer


def _workspace() -> str:
    return current().principal.workspace
