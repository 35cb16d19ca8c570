"""A tool's parameters: what the model is told of them, how its arguments are checked, and what we add to them.

Patterns of a schema run on an engine whose time is linear in the text, since both are written by others, and a schema
that refers to another document is refused: nothing is fetched to check arguments.
"""

from collections.abc import Mapping
from typing import Final

import jsonschema_rs
import msgspec

from scriza.kernel.errors import BadInput
from scriza.ports.playbook import JsonSchema

_MOST_CHARACTERS = 8_000
_MOST_PROBLEMS = 3
_LONGEST_PROBLEM = 200
_FROM: Final = "x-from"
_LINEAR = jsonschema_rs.RegexOptions()

_canonical = msgspec.json.Encoder(order="deterministic").encode


class WrongArguments(Exception):
    """The arguments do not fit; the text says why, for the model that wrote them."""


class Parameters:
    """The parameters of one tool. Raises BadInput when they are no JSON Schema of an object."""

    def __init__(self, schema: JsonSchema) -> None:
        properties = schema.get("properties", {})
        if schema.get("type", "object") != "object" or not isinstance(properties, dict):
            raise BadInput("a tool's parameters are the JSON Schema of an object")
        ours = {name: told[_FROM] for name, told in properties.items() if isinstance(told, dict) and _FROM in told}
        if not all(isinstance(source, str) for source in ours.values()):
            raise BadInput(f"{_FROM} names caller, call_id or a variable")
        required = schema.get("required", [])
        self._filled: dict[str, str] = ours
        self.names = [name for name in properties if name not in ours]
        """Of the properties that the model gives."""
        self.offered: JsonSchema = {
            "additionalProperties": False,
            **schema,
            "type": "object",
            "properties": {name: told for name, told in properties.items() if name not in ours},
        }
        if isinstance(required, list):
            self.offered["required"] = [name for name in required if name not in ours]
        try:
            self._validator = jsonschema_rs.validator_for(
                self.offered, validate_formats=True, pattern_options=_LINEAR, retriever=_nothing_is_fetched
            )
        except ValueError as error:
            raise BadInput(f"a tool's parameters are no JSON Schema: {_first_line(error)}") from None

    def read(self, text: str) -> dict[str, object]:
        """Arguments out of JSON text, as a model writes them; no text is no arguments. Raises WrongArguments."""
        if len(text) > _MOST_CHARACTERS:
            raise WrongArguments(f"The arguments are longer than {_MOST_CHARACTERS} characters.")
        try:
            arguments = msgspec.json.decode(text or "{}", type=dict[str, object])
        except msgspec.DecodeError:
            raise WrongArguments("The arguments are no JSON object.") from None
        self.check(arguments)
        return arguments

    def check(self, arguments: dict[str, object]) -> None:
        """Raises WrongArguments."""
        problems = []
        for error in self._validator.iter_errors(arguments):
            where = "/".join(str(step) for step in error.instance_path)
            problems.append(f"{where or 'arguments'}: {_first_line(error)}")
            if len(problems) == _MOST_PROBLEMS:
                break
        if problems:
            raise WrongArguments(" ".join(f"{problem}." for problem in problems))

    def filled(self, arguments: Mapping[str, object], known: Mapping[str, str]) -> dict[str, object]:
        """The arguments with what we add to them: what is not known is left out."""
        ours = {name: known[source] for name, source in self._filled.items() if known.get(source)}
        return {**arguments, **ours}

    def from_slots(self, slots: Mapping[str, str]) -> dict[str, object]:
        """Arguments made of what is known of the caller, by name. Raises WrongArguments when they do not suffice."""
        arguments: dict[str, object] = {name: slots[name] for name in self.names if slots.get(name)}
        self.check(arguments)
        return arguments


def canonical(arguments: Mapping[str, object]) -> str:
    """The same text for the same arguments, in whatever order and spacing they were written."""
    return _canonical(arguments).decode()


def _nothing_is_fetched(uri: str) -> dict[str, object]:
    raise ValueError("it refers to another document")


def _first_line(error: ValueError) -> str:
    message = getattr(error, "message", "") or str(error)
    return message.partition("\n")[0][:_LONGEST_PROBLEM].rstrip(".")
