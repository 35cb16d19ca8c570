"""A tool's parameters as a playbook writes them: what the model gives, and what we fill in ourselves."""

from typing import Final

import msgspec

from scriza.kernel import json_schema
from scriza.kernel.errors import BadInput
from scriza.ports.playbook import JsonSchema

FILLED_BY_US: Final = "x-from"
"""Marks a property that the model is not told of."""
OF_THE_CALL = frozenset({"caller", "call_id"})
"""What such a property may be filled with beside variables."""


class ToolParameters(msgspec.Struct, frozen=True):
    """Parameters, taken apart."""

    offered: JsonSchema
    """Of an object: what a model is told, and its arguments are checked by."""
    filled: dict[str, str]
    """By property, what we fill in: `caller` (E.164), `call_id` or a variable."""


def tool_parameters(schema: JsonSchema) -> ToolParameters:
    """Take a tool's parameters apart. Raises BadInput, saying why, when they are no JSON Schema of an object."""
    properties = schema.get("properties", {})
    if schema.get("type", "object") != "object" or not isinstance(properties, dict):
        raise BadInput("a tool's parameters are the JSON Schema of an object")
    ours = {
        name: told[FILLED_BY_US] for name, told in properties.items() if isinstance(told, dict) and FILLED_BY_US in told
    }
    if not all(isinstance(source, str) for source in ours.values()):
        raise BadInput(f"{FILLED_BY_US} names caller, call_id or a variable")
    offered: JsonSchema = {
        "additionalProperties": False,
        **schema,
        "type": "object",
        "properties": {name: told for name, told in properties.items() if name not in ours},
    }
    required = schema.get("required", [])
    if isinstance(required, list):
        offered["required"] = [name for name in required if name not in ours]
    try:
        json_schema.compiled(offered)
    except ValueError as error:
        raise BadInput(f"a tool's parameters are no JSON Schema: {json_schema.reason(error)}") from None
    return ToolParameters(offered, ours)
