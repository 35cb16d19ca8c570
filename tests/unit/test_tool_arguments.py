"""A tool's arguments: held against its schema, filled with what only we know, and cheap whatever is written in them."""

import time

import pytest

from scriza.kernel.errors import BadInput
from scriza.modules.agent.tools.arguments import Parameters, WrongArguments, canonical
from scriza.ports.playbook import JsonSchema

BOOKING: JsonSchema = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "format": "date"},
        "people": {"type": "integer", "minimum": 1},
        "phone": {"type": "string", "x-from": "caller"},
        "plan": {"type": "string", "x-from": "plan"},
    },
    "required": ["day", "phone"],
}


def test_arguments_that_fit_are_read() -> None:
    assert Parameters(BOOKING).read('{"day": "2026-05-04", "people": 2}') == {"day": "2026-05-04", "people": 2}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "day"),
        ("{}", "day"),
        ("{not json", "no JSON object"),
        ("[1]", "no JSON object"),
        ('{"day":' + "[" * 1990 + "]" * 1990 + "}", "no JSON object"),
        ('{"day": "tomorrow"}', 'day: "tomorrow" is not a "date"'),
        ('{"day": "2026-05-04", "people": 0}', "people"),
        ('{"day": "2026-05-04", "people": "two"}', "people"),
        ('{"day": "2026-05-04", "phone": "+1"}', "phone"),
        ('{"day": "' + "x" * 9_000 + '"}', "longer than"),
    ],
)
def test_arguments_that_do_not_fit_say_why(text: str, says: str) -> None:
    with pytest.raises(WrongArguments, match=says):
        Parameters(BOOKING).read(text)


def test_a_model_is_not_told_of_what_we_fill_in() -> None:
    offered = Parameters(BOOKING).offered
    assert list(offered["properties"]) == ["day", "people"]  # type: ignore[call-overload]  # it is a dict
    assert offered["required"] == ["day"]
    assert offered["additionalProperties"] is False


def test_we_fill_in_what_is_known() -> None:
    known = {"caller": "+14155550100", "call_id": "CA1", "plan": ""}
    filled = Parameters(BOOKING).filled({"day": "2026-05-04"}, known)
    assert filled == {"day": "2026-05-04", "phone": "+14155550100"}


def test_without_a_model_arguments_come_from_what_the_caller_has_said() -> None:
    parameters = Parameters(
        {"properties": {"time": {"type": "string"}, "name": {"type": "string"}}, "required": ["time"]}
    )
    assert parameters.from_slots({"time": "ten", "other": "x"}) == {"time": "ten"}
    with pytest.raises(WrongArguments):
        parameters.from_slots({"name": "Ada"})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "objct"},
        {"properties": []},
        {"properties": {"a": {"type": "nothing"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"pattern": "(?=a)"}}},
        {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"properties": {"a": {"x-from": 7}}},
    ],
)
def test_what_is_no_schema_of_an_object_is_refused_and_nothing_is_fetched(schema: JsonSchema) -> None:
    with pytest.raises(BadInput):
        Parameters(schema)


def test_a_pattern_that_explodes_elsewhere_costs_nothing_here() -> None:
    parameters = Parameters({"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}})
    began = time.process_time()
    with pytest.raises(WrongArguments):
        parameters.read('{"a": "' + "a" * 7_000 + 'b"}')
    assert time.process_time() - began < 1, "a backtracking engine needs longer than the universe has"


def test_the_same_arguments_have_the_same_text() -> None:
    assert canonical({"b": 1, "a": {"d": 2, "c": 3}}) == canonical({"a": {"c": 3, "d": 2}, "b": 1})
