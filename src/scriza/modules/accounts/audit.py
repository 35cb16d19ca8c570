"""The audit log: acts that matter for security, who did them, to what. Ids only, no addresses, no secrets."""

from typing import Literal

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError
from scriza.kernel.principal import current
from scriza.modules.accounts.books import AuditBook
from scriza.ports.accounts import AuditEntry

_log = structlog.get_logger()


class Audit:
    """Notes acts, in the store and in the log. What was done stays done when it cannot be noted."""

    def __init__(self, book: AuditBook, clock: WallClock = utc_now) -> None:
        self._book = book
        self._clock = clock

    async def note(
        self,
        act: str,
        target: str = "",
        *,
        workspace: str = "",
        actor: str = "",
        outcome: Literal["done", "refused"] = "done",
    ) -> None:
        """`act` is a name such as ``user.disabled``; workspace and actor are the principal's unless told."""
        context = current()
        workspace = workspace or context.principal.workspace
        actor = actor or context.principal.subject
        _log.info("audit", act=act, actor=actor, target=target, outcome=outcome)
        entry = AuditEntry(self._clock(), act, actor, target, context.request_id, outcome)
        try:
            await self._book.add(workspace, entry)
        except ScrizaError as error:
            _log.error("audit.not_kept", act=act, reason=error.slug)
