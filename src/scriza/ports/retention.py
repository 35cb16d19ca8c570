"""How long a workspace keeps what its calls have told."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]
"""After so many days it is removed; 0 keeps it."""


class RetentionPolicy(msgspec.Struct, frozen=True):
    """What is removed when. Figures in reports stay, since they are about nobody."""

    transcript_days: Days = 0
    """All words of a call, counted from its beginning: what was said, generated and heard, its summary, its fields."""
    call_days: Days = 0
    """The call's whole log."""
    fact_days: Days = 0
    """Each thing that is known of a caller, counted from when it was said; then also that they have called."""


class Purged(msgspec.Struct, frozen=True):
    """What was removed at one time."""

    at: datetime
    transcripts: int = 0
    calls: int = 0
    facts: int = 0
    callers: int = 0


class RetentionState(msgspec.Struct, frozen=True):
    """The policy in force; `own` when the workspace has set it, else the settings have."""

    policy: RetentionPolicy
    own: bool
    last_purge: Purged | None = None
    """The last one that removed anything."""


class Retention(Protocol):
    """Keeps the workspace's policy. Recordings and the carrier's copies have settings of their own."""

    @operation("GET /api/v1/memory/retention", scope=Scope.MEMORY_READ)
    async def retention(self) -> RetentionState:
        """The policy in force, and what it last removed."""
        ...

    @operation("PUT /api/v1/memory/retention", idempotent=True, scope=Scope.MEMORY_FORGET)
    async def set_retention(self, policy: RetentionPolicy) -> RetentionState:
        """Set the whole policy; what is older than it allows goes within the hour, and does not come back."""
        ...
