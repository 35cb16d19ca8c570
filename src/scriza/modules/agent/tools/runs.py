"""One use of a tool, from the wish to what came of it: done once, told as often as it is asked for. Pure.

In one call the same tool has its effect once for the same arguments, in whatever turn the wish comes again: by a reply
that is asked for anew, a caller who barged in, a model that forgot. What only reads is as fresh as the turn.

| state | means | asked for again |
|---|---|---|
| running | its server is being asked, until `overdue_at` | waits for it; overdue, it is `unknown` |
| done | `result` is what the server told | the same result |
| failed | it surely did nothing | is tried again |
| unknown | it may have been done | only if asking twice does no harm |
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from scriza.kernel.ids import derived_id

State = Literal["running", "done", "failed", "unknown"]


class Run(msgspec.Struct, frozen=True):
    """One use of a tool, and how far it has come."""

    run_id: str
    workspace: str
    call_id: str
    turn: int
    """In which it was wanted first."""
    tool: str
    arguments: str
    """Canonical JSON, as the model gave them."""
    started_at: datetime
    overdue_at: datetime
    """Who runs it is gone by then."""
    harmless: bool
    """Asking twice does no harm."""
    state: State = "running"
    result: str = ""
    """What the server told, or why it was not done."""
    ms: int = 0
    attempt: int = 1

    @property
    def key(self) -> str:
        """What the server is to recognise a repetition by. A try after a sure failure is no repetition."""
        return self.run_id if self.attempt == 1 else f"{self.run_id}-{self.attempt}"


def run_id(workspace: str, call_id: str, tool: str, arguments: str, *, turn: int | None) -> str:
    """The same for the same wish in one call; `turn` for a tool that only reads."""
    return derived_id("run", workspace, call_id, "" if turn is None else str(turn), tool, arguments)


def what_next(run: Run, now: datetime) -> Literal["wait", "use", "try", "give_up"]:
    """What a wish means that finds this run; `give_up` says that nobody will tell whether it was done."""
    match run.state:
        case "running" if now < run.overdue_at:
            return "wait"
        case "running":
            return "try" if run.harmless else "give_up"
        case "done":
            return "use"
        case "failed":
            return "try"
        case "unknown":
            return "try" if run.harmless else "use"


def tried_again(run: Run, now: datetime, overdue_at: datetime) -> Run:
    """The run, begun anew. After a sure failure it is another request; else the same one, under the same key."""
    attempt = run.attempt + (run.state == "failed")
    return msgspec.structs.replace(
        run, state="running", result="", ms=0, started_at=now, overdue_at=overdue_at, attempt=attempt
    )


class RunBook(Protocol):
    """Keeps runs. Every method is idempotent."""

    async def claim(self, run: Run) -> Run | None:
        """Keep a new run; the one that stands when its id is known, else none."""
        ...

    async def change(self, old: Run, new: Run) -> bool:
        """Put `new` in the place of `old`; False, and nothing changes, when it is not `old` any more."""
        ...

    async def find(self, run_id: str) -> Run | None:
        """The run as it is now."""
        ...

    async def of_call(self, workspace: str, call_id: str) -> Sequence[Run]:
        """The latest runs of a call, oldest first, fifty at most."""
        ...

    async def forget(self, call_ids: Sequence[str]) -> int:
        """Drop the runs of these calls; returns how many there were."""
        ...
