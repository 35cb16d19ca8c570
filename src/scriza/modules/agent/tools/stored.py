"""The book of runs in the store."""

from collections.abc import Sequence

from scriza.modules.agent.documents import AlreadyThere, Session, ToolUse, run_of, use_of
from scriza.modules.agent.tools.runs import Run
from scriza.ports.store import Store

_MOST = 50


class MongoRunBook:
    """Implements RunBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def claim(self, run: Run) -> Run | None:
        """See RunBook."""
        with self._store.errors():
            try:
                await use_of(run).insert()
            except AlreadyThere:
                return await self.find(run.run_id) or run
        return None

    async def change(self, old: Run, new: Run) -> bool:
        """See RunBook."""
        which = {"_id": old.run_id, "state": old.state, "attempt": old.attempt, "overdue_at": old.overdue_at}
        changed = {
            "state": new.state,
            "attempt": new.attempt,
            "result": new.result,
            "ms": new.ms,
            "started_at": new.started_at,
            "overdue_at": new.overdue_at,
        }
        with self._store.errors():
            result = await ToolUse.get_pymongo_collection().update_one(which, {"$set": changed})
        return result.matched_count == 1

    async def find(self, run_id: str) -> Run | None:
        """See RunBook."""
        with self._store.errors():
            found = await ToolUse.find_one({"_id": run_id})
        return None if found is None else run_of(found)

    async def of_call(self, workspace: str, call_id: str) -> list[Run]:
        """See RunBook."""
        ours = {"call_id": call_id, "workspace": workspace}
        with self._store.errors():
            found = await ToolUse.find(ours).sort("-started_at").limit(_MOST).to_list()
        return [run_of(document) for document in reversed(found)]

    async def forget(self, call_ids: Sequence[str]) -> int:
        """See RunBook."""
        theirs = {"call_id": {"$in": list(call_ids)}}
        with self._store.errors():
            return (await ToolUse.get_pymongo_collection().delete_many(theirs)).deleted_count
