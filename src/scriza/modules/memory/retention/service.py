"""The workspace's policy, and the job that carries policies out."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.principal import current
from scriza.modules.memory.claim import Claim
from scriza.modules.memory.documents import Session
from scriza.modules.memory.reports.documents import read_summed_days, read_workspaces
from scriza.modules.memory.retention.documents import (
    calls_of,
    read_kept,
    remove,
    remove_callers,
    remove_facts,
    remove_summaries,
    strip,
    wordy_calls_of,
    workspaces_with_policies,
    write_kept,
)
from scriza.ports.retention import Purged, RetentionPolicy, RetentionState
from scriza.ports.store import Store, UnitOfWork

_log = structlog.get_logger()

_BATCH = 50
"""Calls that are changed in one transaction."""
_CALLERS = 500
"""Callers that are changed at a time, since finding any reads all of them on the embedded store."""

Find = Callable[[str, datetime, datetime, int], Awaitable[list[str]]]
"""Some calls of a workspace that began from a time up to another, and to which something is still to be done."""
Change = Callable[[str, list[str], Session], Awaitable[int]]
"""Does it in a transaction, and says to how many."""


class RetentionService:
    """Implements Retention for the workspace of the request. `default` is what workspaces have that set nothing."""

    def __init__(self, store: Store[Session], default: RetentionPolicy) -> None:
        self._store = store
        self._default = default

    async def retention(self) -> RetentionState:
        """See Retention."""
        with self._store.errors():
            kept = await read_kept(current().principal.workspace)
        return RetentionState(kept.policy or self._default, kept.policy is not None, kept.last_purge)

    async def set_retention(self, policy: RetentionPolicy) -> RetentionState:
        """See Retention."""
        with self._store.errors():
            await write_kept(current().principal.workspace, {"policy": policy})
        return await self.retention()


class Purge:
    """Removes what has outlived its policy; of all processes one at a time does."""

    def __init__(
        self, store: Store[Session], default: RetentionPolicy, claim: Claim, clock: WallClock = utc_now
    ) -> None:
        self._store = store
        self._default = default
        self._claim = claim
        self._clock = clock

    async def run(self) -> dict[str, Purged]:
        """Purge every workspace, unless another process does; what was removed, where anything was."""
        done = {}
        with self._store.errors():
            names = set(await workspaces_with_policies())
            if self._default != RetentionPolicy():
                names |= set(await read_workspaces())
        for workspace in sorted(names):
            if not await self._claim.hold():
                break
            purged = await self._purge(workspace)
            if purged != Purged(purged.at):
                done[workspace] = purged
                told = msgspec.structs.asdict(purged)
                del told["at"]
                _log.info("memory.purged", workspace=workspace, **told)
        return done

    async def _purge(self, workspace: str) -> Purged:
        now = self._clock()
        with self._store.errors():
            kept = await read_kept(workspace)
            policy = kept.policy or self._default
            calls = transcripts = facts = callers = 0
            if before := _before(now, policy.call_days):
                calls = await self._calls(workspace, kept.removed_until, before, "removed_until", calls_of, remove)
            if before := _before(now, policy.transcript_days):
                old = kept.stripped_until
                transcripts = await self._calls(workspace, old, before, "stripped_until", wordy_calls_of, strip)
                await self._batches(partial(remove_summaries, workspace, before, _CALLERS))
            if before := _before(now, policy.fact_days):
                facts = await self._batches(partial(remove_facts, workspace, before, _CALLERS))
                callers = await self._batches(partial(remove_callers, workspace, before, _CALLERS))
            purged = Purged(now, transcripts, calls, facts, callers)
            if purged != Purged(now):
                await write_kept(workspace, {"last_purge": purged})
        return purged

    async def _calls(
        self, workspace: str, since: datetime | None, before: datetime, mark: str, find: Find, change: Change
    ) -> int:
        """Change the calls that began until `before`, day by day; the field `mark` says how far this has come.

        The embedded server reads all that a query matches, however few are asked for; a day is never too much.
        """
        changed = 0
        for day in await read_summed_days(workspace):
            begin = datetime.combine(day, time(), UTC)
            end = min(begin + timedelta(days=1), before)
            if begin >= before or (since is not None and end <= since):
                continue
            while found := await find(workspace, begin, end, _BATCH):
                if not await self._claim.hold():
                    return changed
                changed += await self._in_a_unit(partial(change, workspace, found))
            await write_kept(workspace, {mark: end})
        return changed

    async def _batches(self, work: Callable[[], Awaitable[int]]) -> int:
        """Do what is done by batches until there is nothing left to do; how much was done."""
        done = 0
        while more := await work():
            done += more
            if not await self._claim.hold():
                break
        return done

    async def _in_a_unit(self, change: Callable[[Session], Awaitable[int]]) -> int:
        async def work(unit: UnitOfWork[Session]) -> int:
            return await change(unit.session)

        return await self._store.run(work)


def _before(now: datetime, days: int) -> datetime | None:
    return now - timedelta(days=days) if days else None
