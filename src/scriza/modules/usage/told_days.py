"""Which days have been told, by workspace: moved on in the transaction that tells of the next one."""

from datetime import date

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.events import Topic, event
from scriza.modules.usage.documents import Session, ToldDay, collection
from scriza.ports.credit import DayTold
from scriza.ports.store import Store, UnitOfWork


class MongoToldDays:
    """Keeps the last one of each workspace."""

    def __init__(self, store: Store[Session], clock: WallClock = utc_now) -> None:
        self._store, self._clock = store, clock

    async def last(self, workspace: str, *, begin_after: date) -> date:
        """The last day that was told; for a workspace of which none was, days after `begin_after` will be."""
        first = {"day": begin_after.isoformat()}
        with self._store.errors():
            days = collection(ToldDay)
            row = await days.find_one({"_id": workspace})
            if row is None:
                await days.update_one({"_id": workspace}, {"$setOnInsert": first}, upsert=True)
        return date.fromisoformat(row["day"]) if row else begin_after

    async def tell(self, workspace: str, last: date, day: date, data: DayTold | None) -> bool:
        """Tell the day, or pass over it where there is nothing to be told; False when it is not `last` any more."""

        async def work(unit: UnitOfWork[Session]) -> bool:
            which, now = {"_id": workspace, "day": last.isoformat()}, {"$set": {"day": day.isoformat()}}
            if not (await collection(ToldDay).update_one(which, now, session=unit.session)).matched_count:
                return False
            if data is not None:
                told = event(
                    Topic.USAGE_SUMMARY,
                    data,
                    source="usage",
                    subject=workspace,
                    key=data.day,
                    time=self._clock(),
                    workspace=workspace,
                )
                await unit.publish(told)
            return True

        return await self._store.run(work)
