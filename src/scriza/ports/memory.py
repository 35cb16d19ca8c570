"""What is remembered of calls and of who called."""

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from scriza.kernel.operation import operation


class Recall(msgspec.Struct, frozen=True):
    """Asks what is known of who is on the line; `number` is E.164."""

    number: str


class Remembered(msgspec.Struct, omit_defaults=True):
    """Something known of a caller, and the utterance that it came from."""

    id: str
    kind: Literal["fact", "promise"]
    name: str
    """The variable that it fills, as the playbook names it; of a promise, what was promised in one word: `callback`."""
    text: str
    call_id: str = ""
    turn: int = 0
    said_at: datetime | None = None
    corrected: bool = False
    """A person of the team has put it right; calls do not change it any more."""


class CallerMemory(msgspec.Struct, omit_defaults=True):
    """All that is known of a caller; nothing for one who was never here, or was forgotten."""

    calls: int = 0
    last_call_at: datetime | None = None
    last_summary: str = ""
    last_outcome: str = ""
    known: list[Remembered] = []


class CallerForgotten(msgspec.Struct, frozen=True):
    """Data of `caller.forgotten`: whoever keeps anything of these calls, or of who made them, erases it."""

    caller: str
    """The pseudonym of the number, by `scriza.kernel.pseudonym`."""
    call_ids: list[str]


class Memory(Protocol):
    """Remembers calls."""

    @operation("POST /v1/recall", timeout=2, idempotent=True)
    async def recall(self, asked: Recall) -> CallerMemory:
        """What earlier calls of the number have taught."""
        ...
