"""Which tools a playbook offers, compiled once: our own by name, and those of the team by HTTP."""

from typing import Literal

import msgspec
import structlog

from scriza.kernel.errors import BadInput
from scriza.modules.agent.tools.arguments import Parameters
from scriza.ports import llm
from scriza.ports.playbook import BUILT_IN_ACTS, BUILT_IN_TOOLS, JsonSchema, Playbook, Tool

_log = structlog.get_logger()

END_CALL = "end_call"
TRANSFER = "transfer"
PRESS_KEYS = "press_keys"
SET_OUTCOME = "set_outcome"
SEND_SMS = "send_sms"
SCHEDULE_CALLBACK = "schedule_callback"
BOOK_SLOT = "book_slot"
LOOK_UP_CONTACT = "look_up_contact"

_PROMISED = frozenset({SEND_SMS, SCHEDULE_CALLBACK})

_CALLER: JsonSchema = {"type": "string", "x-from": "caller"}
_PARAMETERS: dict[str, JsonSchema] = {
    PRESS_KEYS: {
        "properties": {"keys": {"type": "string", "pattern": "^[0-9A-D*#wW]{1,64}$"}},
        "required": ["keys"],
    },
    SEND_SMS: {
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 600}},
        "required": ["text"],
    },
    SCHEDULE_CALLBACK: {
        "properties": {
            "at": {
                "type": "string",
                "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$",
                "description": "The caller's local time, such as 2026-05-04T15:30.",
            },
            "reason": {"type": "string", "maxLength": 300},
        },
        "required": ["at"],
    },
    BOOK_SLOT: {
        "properties": {
            "start": {
                "type": "string",
                "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$",
                "description": "The caller's local time, such as 2026-05-04T15:30.",
            },
            "name": {"type": "string", "minLength": 1, "maxLength": 200},
            "note": {"type": "string", "maxLength": 500},
            "phone": _CALLER,
        },
        "required": ["start"],
    },
    LOOK_UP_CONTACT: {"properties": {"phone": _CALLER}},
}
_DESCRIPTIONS = {
    END_CALL: "End the call. Say goodbye in the same answer.",
    TRANSFER: "Connect the caller to a person, when they ask for one. Say so.",
    PRESS_KEYS: "Press keys of the phone, when a machine asks for them.",
    SET_OUTCOME: "Note what came of the call, as soon as it is clear.",
}


class Ability(msgspec.Struct, frozen=True, eq=False):
    """Something that a model may have done."""

    name: str
    description: str
    parameters: Parameters
    kind: Literal["act", "http", "memory"]
    tool: Tool
    """As the playbook has it, or as we would have written it there."""

    @property
    def harmless(self) -> bool:
        """Asking twice does no harm."""
        return self.kind == "memory" or self.tool.idempotent or self.tool.reads_only

    @property
    def reads_only(self) -> bool:
        """It changes nothing outside, so that it need not wait for the turn to be sure."""
        return self.kind == "memory" or self.tool.reads_only

    @property
    def is_promised(self) -> bool:
        """The caller is told that it will come, so that it must not be left out without a word."""
        return self.name in _PROMISED

    def offer(self) -> llm.Tool:
        """As a model is told of it."""
        return llm.Tool(self.name, self.description, self.parameters.offered)


class Toolbox:
    """The tools of one playbook. `outcomes` are the names that an outcome can have.

    A tool that cannot be used (its parameters are no JSON Schema, it has no URL, its name is none of ours) is left out,
    which is logged.
    """

    def __init__(self, playbook: Playbook, outcomes: list[str], *, presses_keys: bool) -> None:
        own = {tool.name: tool for tool in playbook.tools}
        always = [END_CALL, TRANSFER]
        if presses_keys:
            always.append(PRESS_KEYS)
        if outcomes:
            always.append(SET_OUTCOME)
        self._abilities: dict[str, Ability] = {}
        for name in always:
            tool = own.pop(name, None) or Tool(name=name, description=_DESCRIPTIONS[name], kind="builtin")
            self._add(tool, outcomes)
        for tool in own.values():
            self._add(tool, outcomes)

    def find(self, name: str) -> Ability | None:
        """The ability of this name."""
        return self._abilities.get(name)

    def offered(self, *, transfers: bool) -> list[llm.Tool]:
        """What a model is told of; without `transfers` there is nobody to connect callers to."""
        return [each.offer() for each in self._abilities.values() if transfers or each.name != TRANSFER]

    @property
    def needs_briefing(self) -> bool:
        """Whether a model has to know the time, and what tools have done: any brings a result, or promises a time."""
        return any(each.kind != "act" or each.name == SCHEDULE_CALLBACK for each in self._abilities.values())

    def _add(self, tool: Tool, outcomes: list[str]) -> None:
        try:
            self._abilities[tool.name] = _ability(tool, outcomes)
        except BadInput as error:
            _log.warning("agent.tool_left_out", tool=tool.name, reason=error.detail)


def _ability(tool: Tool, outcomes: list[str]) -> Ability:
    """Raises BadInput for a tool that cannot be used."""
    kind = _kind(tool)
    if kind == "act" and tool.name == SET_OUTCOME:
        schema: JsonSchema = {"properties": {"outcome": {"type": "string", "enum": outcomes}}, "required": ["outcome"]}
    elif kind == "act" or not tool.parameters:
        schema = _PARAMETERS.get(tool.name, {}) if tool.kind == "builtin" else {}
    else:
        schema = tool.parameters
    return Ability(tool.name, tool.description, Parameters(schema), kind, tool)


def _kind(tool: Tool) -> Literal["act", "http", "memory"]:
    if tool.kind == "http" or (tool.name in (BOOK_SLOT, LOOK_UP_CONTACT) and tool.url):
        if not tool.url:
            raise BadInput("it has no URL")
        return "http"
    if tool.name in BUILT_IN_ACTS:
        return "act"
    if tool.name == LOOK_UP_CONTACT:
        return "memory"
    if tool.name == BOOK_SLOT:
        raise BadInput("it has no URL")
    raise BadInput(f"there is no built-in tool of this name; there are {', '.join(sorted(BUILT_IN_TOOLS))}")
