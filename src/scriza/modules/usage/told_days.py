"""Up to when days have been told, by workspace: moved on in the transaction that tells of the next one."""

from datetime import UTC, datetime

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Topic, event
from scriza.modules.usage.documents import Session, ToldDay, collection
from scriza.ports.credit import DayTold
from scriza.ports.store import Store, UnitOfWork


class MongoToldDays:
    """Keeps where the last one of each workspace ended."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store, self._clock = store, clock

    async def last(self, workspace: str, *, begin: datetime) -> datetime:
        """Where the last day that was told ended; of a workspace of which none was, days are told from `begin` on."""
        with self._store.errors():
            days = collection(ToldDay)
            row = await days.find_one({"_id": workspace})
            if row is None:
                await days.update_one({"_id": workspace}, {"$setOnInsert": {"until": begin}}, upsert=True)
        return row["until"].astimezone(UTC) if row else begin

    async def tell(self, workspace: str, last: datetime, until: datetime, data: DayTold | None) -> bool:
        """Tell the day, or pass over it where there is nothing to tell; False when `last` is not the last any more."""

        async def work(unit: UnitOfWork[Session]) -> bool:
            which, now = {"_id": workspace, "until": last}, {"$set": {"until": until}}
            if not (await collection(ToldDay).update_one(which, now, session=unit.session)).matched_count:
                return False
            if data is not None:
                told = event(
                    Topic.USAGE_SUMMARY,
                    data,
                    source="usage",
                    subject=workspace,
                    key=data.since.isoformat(),
                    time=self._clock(),
                    workspace=workspace,
                )
                await unit.publish(told)
            return True

        return await self._store.run(work)
