"""The `Strategy` port: which playbook leads a call."""

import asyncio

from scriza.kernel.errors import NotFound
from scriza.modules.strategy.shipped import Samples
from scriza.ports.strategy import PinnedPlaybook, PlaybookRef


class StrategyService:
    """Implements Strategy for the workspace of the request; `default` is the slug of calls that name no playbook."""

    def __init__(self, samples: Samples, *, default: str) -> None:
        self._samples, self._default = samples, default

    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        """See Strategy."""
        name = asked.name or self._default
        found = await asyncio.to_thread(self._sample, name)
        if found is None:
            raise NotFound("there is no such playbook")
        return found

    def _sample(self, name: str) -> PinnedPlaybook | None:
        return self._samples.by_slug.get(name) or self._samples.by_version.get(name)
