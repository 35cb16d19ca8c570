"""Playbooks on a shelf: the `Strategy` port's `playbook`, in memory, which can be slow or gone."""

import asyncio
import hashlib
from collections.abc import Iterable

import msgspec

from scriza.kernel.errors import NotFound, ScrizaError
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import PinnedPlaybook, PlaybookRef


def version_of(playbook: Playbook) -> str:
    """The id of a version: the same document has the same one."""
    canonical = msgspec.json.encode(playbook, order="deterministic")
    return f"sv_{hashlib.sha256(canonical).hexdigest()[:32]}"


class Shelf:
    """The latest playbook of each slug is published; the first one is the default. Versions stay for ever."""

    def __init__(self, playbooks: Iterable[Playbook]) -> None:
        self.asked: list[str] = []
        self.failure: ScrizaError | None = None
        self.stuck = False
        """Does not answer any more."""
        self._versions: dict[str, PinnedPlaybook] = {}
        self._published: dict[str, str] = {}
        for playbook in playbooks:
            self.publish(playbook)

    def publish(self, playbook: Playbook) -> str:
        version = version_of(playbook)
        self._versions[version] = PinnedPlaybook(version, playbook)
        self._published[playbook.slug] = version
        self._published.setdefault("", version)
        return version

    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        self.asked.append(asked.name)
        if self.failure is not None:
            raise self.failure
        if self.stuck:
            await asyncio.Event().wait()
        found = self._versions.get(self._published.get(asked.name, asked.name))
        if found is None:
            raise NotFound("there is no such playbook")
        return found
