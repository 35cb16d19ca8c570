"""A tool's parameters: what the model is told of them, how its arguments are checked, and what we add to them."""

from collections.abc import Mapping
from typing import cast

import msgspec

from scriza.kernel.json_schema import compiled, reason
from scriza.ports.playbook import JsonSchema
from scriza.ports.tool_parameters import tool_parameters

_MOST_CHARACTERS = 8_000
_MOST_PROBLEMS = 3

_canonical = msgspec.json.Encoder(order="deterministic").encode


class WrongArguments(Exception):
    """The arguments do not fit; the text says why, for the model that wrote them."""


class Parameters:
    """The parameters of one tool. Raises BadInput when they are no JSON Schema of an object."""

    def __init__(self, schema: JsonSchema) -> None:
        parts = tool_parameters(schema)
        self.offered = parts.offered
        self.names = list(cast("dict[str, object]", parts.offered["properties"]))
        """Of the properties that the model gives."""
        self._filled = parts.filled
        self._validator = compiled(parts.offered)

    def read(self, text: str) -> dict[str, object]:
        """Arguments out of JSON text, as a model writes them; no text is no arguments. Raises WrongArguments."""
        if len(text) > _MOST_CHARACTERS:
            raise WrongArguments(f"The arguments are longer than {_MOST_CHARACTERS} characters.")
        try:
            arguments = msgspec.json.decode(text or "{}", type=dict[str, object])
        except (msgspec.DecodeError, RecursionError):
            raise WrongArguments("The arguments are no JSON object.") from None
        self.check(arguments)
        return arguments

    def check(self, arguments: dict[str, object]) -> None:
        """Raises WrongArguments."""
        problems = []
        for error in self._validator.iter_errors(arguments):
            where = "/".join(str(step) for step in error.instance_path)
            problems.append(f"{where or 'arguments'}: {reason(error)}")
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
