"""What callers mean, what is said to it, and what is asked: the records that a compiled playbook is made of."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from scriza.ports.llm import ScriptLine
from scriza.ports.playbook import SlotWords

Kind = Literal["intent", "objection", "faq"]


class Saying(msgspec.Struct, frozen=True):
    """An answer in one language: the lines that give it, each with an id, and what follows from having said one."""

    scope: str
    """What the ids of its lines begin with: ``pitch.yes`` of ``pitch.yes.2``."""
    lines: list[ScriptLine]
    ask: bool = False
    to: str = ""
    outcome: str = ""
    tool: str = ""
    """Runs before it is said."""
    act: Literal["", "hang_up", "transfer"] = ""
    press: str = ""
    sms: str = ""


class Meaning(msgspec.Struct, frozen=True, eq=False):
    """Something that callers mean: an intent, an objection or an FAQ."""

    id: str
    kind: Kind
    saying: Saying
    """What is said to it where the stage has no answer of its own."""
    phrases: Sequence[str]
    triggers: Sequence[str]
    keys: str = ""
    slot: SlotWords | None = None
    weak: bool = False
    outright: bool = False
    prevails: bool = False
    """Its triggers mean it whatever else is said."""
    severity: int = 0
    max_uses: int = 0
    """So often an objection is answered before it is accepted; 0 is no bound."""


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A question of a stage, in one language."""

    id: str
    slot: str
    lines: list[ScriptLine]
