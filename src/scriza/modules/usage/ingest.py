"""Events as they come from the bus: read, priced, and counted together with those that come at the same time."""

from collections import defaultdict
from collections.abc import Sequence

import structlog

from scriza.kernel.errors import BadInput
from scriza.kernel.events import Event
from scriza.kernel.group_commit import GroupCommit
from scriza.modules.usage.prices import PriceTable
from scriza.modules.usage.reading import read
from scriza.modules.usage.stored import MongoUsage, Told

_log = structlog.get_logger()

_TOGETHER = 500


class Ingest:
    """Counts events, each once, whatever comes twice and in whatever order."""

    def __init__(self, book: MongoUsage, prices: PriceTable) -> None:
        self._book = book
        self._prices = prices
        self._group = GroupCommit(self.take_all, size=_TOGETHER)

    async def take(self, event: Event) -> None:
        """Returns when the event is counted. Raises what the store raises."""
        await self._group.add(event)

    async def take_all(self, events: Sequence[Event]) -> None:
        """Count a batch."""
        by_workspace: dict[str, list[Told]] = defaultdict(list)
        for event in events:
            try:
                by_workspace[event.workspace].append(Told(read(event, self._prices), event))
            except BadInput as error:
                _log.error("usage.unreadable", event_id=event.id, topic=event.type, reason=error.detail)
                await self._book.put_aside(event, "cannot be read")
        for workspace, batch in by_workspace.items():
            counted = await self._book.count(workspace, batch)
            if counted.odd:
                _log.error("usage.quarantined", events=counted.odd, workspace=workspace)
