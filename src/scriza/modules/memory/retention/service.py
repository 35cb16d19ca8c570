"""The workspace's policy, and the job that carries policies out."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.principal import current
from scriza.modules.memory.claim import Claim
from scriza.modules.memory.documents import Session
from scriza.modules.memory.retention.documents import (
    Kept,
    calls_before,
    read_kept,
    remove,
    remove_callers,
    remove_facts,
    remove_summaries,
    strip,
    wordy_calls,
    workspaces,
    write_kept,
)
from scriza.ports.retention import Purged, RetentionPolicy, RetentionState
from scriza.ports.store import Store, UnitOfWork

_log = structlog.get_logger()

_BATCH = 50
"""Calls that are changed in one transaction."""
_MOST_BATCHES = 400
"""For each workspace and each kind of thing in one run, so that one workspace does not keep all others waiting."""


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
            names = await workspaces()
        for workspace in names:
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
            calls = await self._remove_calls(workspace, _before(now, policy.call_days))
            transcripts = await self._strip(workspace, _before(now, policy.transcript_days), kept)
            callers, facts = await self._remove_facts(workspace, _before(now, policy.fact_days))
            purged = Purged(now, transcripts, calls, facts, callers)
            if purged != Purged(now):
                await write_kept(workspace, {"last_purge": purged})
        return purged

    async def _remove_calls(self, workspace: str, before: datetime | None) -> int:
        if before is None:
            return 0
        removed = 0
        for _ in range(_MOST_BATCHES):
            found = await calls_before(workspace, before, _BATCH)
            if not found or not await self._claim.hold():
                break
            removed += await self._in_a_unit(partial(remove, workspace, found))
        return removed

    async def _strip(self, workspace: str, before: datetime | None, kept: Kept) -> int:
        if before is None:
            return 0
        stripped, since = 0, kept.stripped_until
        for _ in range(_MOST_BATCHES):
            found = await wordy_calls(workspace, since, before, _BATCH)
            if found and not await self._claim.hold():
                break
            ids = [call.call_id for call in found]
            stripped += await self._in_a_unit(partial(strip, workspace, ids)) if ids else 0
            since = found[-1].started_at if len(found) == _BATCH else before
            await write_kept(workspace, {"stripped_until": since})
            if since == before:
                break
        await remove_summaries(workspace, before)
        return stripped

    async def _remove_facts(self, workspace: str, before: datetime | None) -> tuple[int, int]:
        if before is None:
            return 0, 0
        facts = 0
        for _ in range(_MOST_BATCHES):
            of_callers, things = await remove_facts(workspace, before, _BATCH)
            facts += things
            if of_callers < _BATCH or not await self._claim.hold():
                break
        return await remove_callers(workspace, before), facts

    async def _in_a_unit(self, change: Callable[[Session], Awaitable[int]]) -> int:
        async def work(unit: UnitOfWork[Session]) -> int:
            return await change(unit.session)

        return await self._store.run(work)


def _before(now: datetime, days: int) -> datetime | None:
    return now - timedelta(days=days) if days else None
