"""What a model tells of the conversation besides speaking: where it goes, and what the caller has said of themselves.

These are tools without effects: nothing is done outside the conversation, and no answer of theirs is waited for.
"""

from collections.abc import Sequence

import msgspec

from scriza.modules.agent.decision import Decision
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.slots import heard_value
from scriza.ports.llm import Tool, ToolPiece

_MOVE_TO = "move_to"
_NOTE = "note"

_LONGEST_VALUE = 200


class _Move(msgspec.Struct):
    stage: str


class _Note(msgspec.Struct):
    name: str
    value: str


class Steering:
    """What a model may judge in one turn, and what it has judged."""

    def __init__(self, guide: Guide, decision: Decision) -> None:
        self._guide = guide
        self._stages = sorted({way.to for way in decision.exits})
        self._names = open_variables(guide, decision)
        self.moved_to = ""
        self.noted: dict[str, str] = {}

    def tools(self) -> list[Tool]:
        """Offered only where there is something to judge."""
        offered = []
        if self._stages:
            told = "Go on to this stage, because its condition holds. Answer as well."
            offered.append(Tool(_MOVE_TO, told, _one("stage", self._stages)))
        if self._names:
            parameters = _one("name", self._names, value={"type": "string", "maxLength": _LONGEST_VALUE})
            offered.append(Tool(_NOTE, "Note what the caller has said of themselves. Answer as well.", parameters))
        return offered

    def take(self, call: ToolPiece) -> bool:
        """Take in a call of one of these tools; false for any other, or one that makes no sense."""
        try:
            if call.name == _MOVE_TO:
                return self._move(msgspec.json.decode(call.arguments, type=_Move))
            if call.name == _NOTE:
                return self._note(msgspec.json.decode(call.arguments, type=_Note))
        except (msgspec.DecodeError, RecursionError):
            pass
        return False

    def _move(self, asked: _Move) -> bool:
        if asked.stage not in self._stages:
            return False
        self.moved_to = asked.stage
        return True

    def _note(self, asked: _Note) -> bool:
        value = heard_value(self._guide.variable(asked.name), asked.value) if asked.name in self._names else ""
        if value:
            self.noted[asked.name] = value
        return bool(value)


def open_variables(guide: Guide, decision: Decision) -> list[str]:
    """Variables that callers tell of, now or for later calls, and that are not known yet."""
    return [
        variable.name
        for variable in guide.playbook.variables
        if variable.source in ("call", "memory") and not decision.slots.get(variable.name)
    ]


def _one(name: str, values: Sequence[str], **others: object) -> dict[str, object]:
    """The JSON Schema of an object with a choice and other properties, all required."""
    return {
        "type": "object",
        "properties": {name: {"type": "string", "enum": list(values)}, **others},
        "required": [name, *others],
        "additionalProperties": False,
    }
