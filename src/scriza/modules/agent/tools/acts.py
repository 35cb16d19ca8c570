"""What a model may do beside speaking: tools offered to it, and its calls of them as acts."""

from typing import Literal

import msgspec
import structlog

from scriza.modules.agent.decision import Guide
from scriza.ports.agent import Act, HangUp, PressKeys, SetOutcome, TransferTo
from scriza.ports.llm import Tool, ToolPiece

_log = structlog.get_logger()

_NOTHING: dict[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}


class _Outcome(msgspec.Struct):
    outcome: str


_KEYS: dict[str, object] = {
    "type": "object",
    "properties": {"keys": {"type": "string", "pattern": "^[0-9A-D*#wW]{1,64}$"}},
    "required": ["keys"],
    "additionalProperties": False,
}


def tools(guide: Guide) -> list[Tool]:
    """The tools that fit the playbook: no transfer without a number, no outcome without names for it."""
    offered = [Tool("end_call", "End the call. Say goodbye in the same answer.", _NOTHING)]
    if guide.transfer_to:
        offered.append(Tool("transfer", "Connect the caller to a person, when they ask for one. Say so.", _NOTHING))
    if guide.playbook.presses_keys():
        offered.append(Tool("press_keys", "Press keys of the phone, when a machine asks for them.", _KEYS))
    if outcomes := guide.playbook.outcomes():
        parameters: dict[str, object] = {
            "type": "object",
            "properties": {"outcome": {"type": "string", "enum": outcomes}},
            "required": ["outcome"],
            "additionalProperties": False,
        }
        offered.append(Tool("set_outcome", "Note what came of the call, as soon as it is clear.", parameters))
    return offered


def act_of(call: ToolPiece, guide: Guide) -> Act | None:
    """The act that a model's tool call stands for; none for a call that makes no sense, which is logged."""
    match call.name:
        case "end_call":
            return HangUp()
        case "transfer" if guide.transfer_to:
            return TransferTo(guide.transfer_to)
        case "press_keys" if guide.playbook.presses_keys():
            try:
                return msgspec.json.decode(call.arguments, type=PressKeys)
            except msgspec.DecodeError:
                pass  # no keys of a phone
        case "set_outcome":
            try:
                outcome = msgspec.json.decode(call.arguments, type=_Outcome).outcome
            except msgspec.DecodeError:
                outcome = ""
            if outcome in guide.playbook.outcomes():
                return SetOutcome(outcome)
    _log.warning("agent.tool_call_ignored", tool=call.name[:40])
    return None


def merged(decided: list[Act], asked: list[Act]) -> list[Act]:
    """The playbook's acts and the model's, each kind once; what ends the talking comes last, a transfer before all."""
    by_kind: dict[Literal["outcome", "sms", "keys", "end"], Act] = {}
    for act in [*asked, *decided]:
        match act:
            case SetOutcome():
                by_kind["outcome"] = act
            case PressKeys():
                by_kind["keys"] = act
            case HangUp() | TransferTo():
                if not isinstance(by_kind.get("end"), TransferTo):
                    by_kind["end"] = act
            case _:
                by_kind["sms"] = act
    return [by_kind[kind] for kind in ("outcome", "sms", "keys", "end") if kind in by_kind]
