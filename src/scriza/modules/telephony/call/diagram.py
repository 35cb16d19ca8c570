"""The call's diagram, made from its tables, in Mermaid."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from scriza.modules.telephony.call.tables import CALLER, COUPLINGS, LINE, MIND, VOICE, Signal

S = TypeVar("S", bound=Enum)


_PAGE = """# The call machine

Made from `modules/telephony/call/tables.py` by `make docs`; do not edit. A call is four small machines. What happens
is read by `Call.receive` as a signal to one of them; where it arrives, the machines that are coupled to it are told.

```mermaid
{diagram}```

## Couplings

{couplings}"""


def page() -> str:
    """The page of the docs, in Markdown."""
    return _PAGE.format(diagram=mermaid(), couplings=couplings())


def mermaid() -> str:
    """One state diagram: the four machines side by side."""
    machines = [*_machine(LINE), *_machine(CALLER), *_machine(MIND), *_machine(VOICE)]
    return "\n".join(["stateDiagram-v2", *machines]) + "\n"


def couplings() -> str:
    """How the machines are coupled, as a Markdown table."""
    rows = ["| when this is entered | and this is so | it is told |", "|---|---|---|"]
    for entered, signalled in COUPLINGS.items():
        for other, signal in signalled.items():
            rows.append(f"| {_name(entered)}: {entered.value} | {_name(other)}: {other.value} | {signal.value} |")
    return "\n".join(rows) + "\n"


def _machine(table: Mapping[S, Mapping[Signal, S]]) -> list[str]:
    first = next(iter(table))
    lines = [f"    state {_name(first)} {{", f"        [*] --> {_id(first)}"]
    for state, moves in table.items():
        lines.append(f"        {_id(state)}: {state.value}")
        lines += [f"        {_id(state)} --> {_id(to)}: {signal.value}" for signal, to in moves.items()]
    return [*lines, "    }"]


def _name(state: Enum) -> str:
    return type(state).__name__.lower()


def _id(state: Enum) -> str:
    return f"{_name(state)}_{state.name.lower()}"
