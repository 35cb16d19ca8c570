"""Playbooks as source code: what leads a call, by its name or pinned to a version."""

from typing import Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.ports.playbook import Playbook


class PlaybookRef(msgspec.Struct, frozen=True):
    """Names a playbook: a version's id (``sv_…``), or a slug for its published version; empty for the default one."""

    name: str = ""


class PinnedPlaybook(msgspec.Struct, frozen=True):
    """One version of a playbook. The same `version` is the same document for ever."""

    version: str
    """``sv_`` and the first 32 hex digits of the SHA-256 of its canonical JSON."""
    playbook: Playbook


class Strategy(Protocol):
    """Keeps the team's playbooks."""

    @operation("POST /v1/playbook", idempotent=True)
    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        """The playbook to lead a call by. Raises NotFound for what is neither a version nor published."""
        ...
