"""What memory keeps, and the door behind which it is kept.

Three kinds of things: calls, their turns, and callers. Every method is idempotent where it says what happened, atomic,
and of one workspace. A call or caller that was forgotten leaves a tombstone without any personal data, so that what is
told of it later finds that out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.events import Event
from scriza.modules.memory.callers import KnownCaller, Lesson
from scriza.modules.memory.projection import Told
from scriza.ports.memory import (
    CallerErased,
    CallsQuery,
    Erasure,
    ExtractedField,
    RefusedField,
    RememberedCall,
    Scored,
)

_FIRST_YEAR = 1970


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of calls ends: the next one begins with older calls."""

    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    call_id: str

    def __post_init__(self) -> None:
        """Raises ValueError for a time from which no span can be counted back."""
        if self.started_at.year < _FIRST_YEAR:
            raise ValueError("no call began then")


class Job(msgspec.Struct, frozen=True):
    """A complete call that is to be worked over, and that nobody else works over until the lease ends.

    When more is told of the call meanwhile the job is lost, and the call due anew.
    """

    workspace: str
    call_id: str
    mark: str
    attempts: int
    """Times that it was put off."""


class Findings(msgspec.Struct, frozen=True):
    """What a call came to, when it is worked over."""

    outcome: str
    summary: str
    summary_by: Literal["rules", "model"]
    fields: list[ExtractedField] = []
    refused: list[RefusedField] = []
    scorecard: list[Scored] = []


class MemoryBook(Protocol):
    """Keeps what is remembered."""

    # ---- calls ----------------------------------------------------------------------------------------------------

    async def hear(self, event: Event, told: Told) -> bool:
        """Add what an event tells; False when it is of a call or caller that was forgotten.

        Each event sets fields of its own, so hearing it again changes nothing.
        A call that turns out to be one of a forgotten caller is forgotten as well. `caller.forgotten` is told of it
        then, and once more of each forgotten call that completes: others may have gone on keeping it until its end.
        """
        ...

    async def call(self, workspace: str, call_id: str) -> RememberedCall | None:
        """The call with its turns."""
        ...

    async def page(self, workspace: str, query: CallsQuery, after: Place | None, limit: int) -> list[RememberedCall]:
        """At most `limit` calls that the query wants, newest first, beginning after a place; without their turns."""
        ...

    # ---- work on complete calls -----------------------------------------------------------------------------------

    async def take_job(self, now: datetime, until: datetime) -> Job | None:
        """A call that is due; nobody else gets it before `until`."""
        ...

    async def keep(
        self, job: Job, findings: Findings, lesson: Lesson | None, *, final: bool, tell: Sequence[Event] = ()
    ) -> bool:
        """Keep what a call came to, teach its caller and `tell` of it, in one transaction; `final` ends the job.

        False, with nothing kept, when the job is no longer ours, more was told of the call, or it was forgotten; then
        `caller.forgotten` is told once more, since others were asked about the call meanwhile.
        """
        ...

    async def put_off(self, job: Job, until: datetime) -> None:
        """Leave the job to whoever takes it from then on."""
        ...

    # ---- callers --------------------------------------------------------------------------------------------------

    async def caller(self, workspace: str, caller: str) -> KnownCaller:
        """What is known of a caller: one read."""
        ...

    async def correct(self, workspace: str, caller: str, known_id: str, text: str, at: datetime) -> KnownCaller:
        """Put one thing right. Raises NotFound."""
        ...

    async def forget_one(self, workspace: str, caller: str, known_id: str, at: datetime) -> None:
        """Forget one thing that is known."""
        ...

    # ---- forgetting -----------------------------------------------------------------------------------------------

    async def forget(self, workspace: str, caller: str, at: datetime) -> Erasure:
        """Erase all about a caller, note the erasure and tell `caller.forgotten`, in one transaction."""
        ...

    async def acknowledge(self, event: Event, data: CallerErased) -> bool:
        """Note that a module has erased; False when this was heard before, or there is no such erasure."""
        ...

    async def erasure(self, workspace: str, erasure_id: str) -> Erasure | None:
        """How far it is."""
        ...
