"""The playbook's own Structs, looked at: what a field holds, and which lists have an order."""

from collections.abc import Mapping
from functools import cache
from typing import Literal, cast

from msgspec import inspect

from scriza.ports import playbook as pb

TextKind = Literal["id", "ref", "line", "locale", "number", "currency", "keys", "text"]
"""What a text is. A `line` is one line, which is spoken or could be; `text` is any other."""

_KINDS: list[tuple[inspect.Type, TextKind]] = [
    (inspect.type_info(pb.Id), "id"),
    (inspect.type_info(pb.Ref), "ref"),
    (inspect.type_info(pb.Line), "line"),
    (inspect.type_info(pb.Locale), "locale"),
    (inspect.type_info(pb.Number), "number"),
    (inspect.type_info(pb.Currency), "currency"),
    (inspect.type_info(pb.Keys), "keys"),
]
_SPOKEN = inspect.type_info(pb.Spoken)

ORDERED = frozenset({"stages", "intents", "ask", "exits"})
"""Lists of records in which the order means something. All others are sets, and are kept sorted by `key_of`."""
SETS = frozenset({"triggers", "phrases", "patterns", "filled", "locales", "critical_stages", "jurisdictions"})
"""Lists of texts in which the order means nothing."""

BARE: Mapping[type[pb.Section], str] = {
    pb.Goal: "primary",
    pb.Variable: "name",
    pb.Opening: "inbound",
    pb.Answer: "say",
    pb.Question: "question",
    pb.Exit: "to",
    pb.Fact: "text",
    pb.Competitor: "name",
    pb.Voicemail: "text",
    pb.Silence: "prompts",
    pb.Guardrail: "rule",
    pb.Score: "question",
}
"""The field that is meant where a text or a list stands in the place of a record."""

TITLES: Mapping[type[pb.Section], tuple[str, ...]] = {
    pb.Stage: ("title", "goal"),
    pb.Question: ("slot", "question"),
    pb.Intent: ("phrases", "triggers"),
    pb.Objection: ("title", "phrases", "triggers", "response"),
    pb.Faq: ("q",),
    pb.Fact: (),
    pb.Competitor: ("name",),
    pb.Price: ("plan",),
    pb.Guardrail: ("rule",),
    pb.Score: ("question",),
}
"""From which of its fields a record without an id gets one; from all of its content where there are none."""


@cache
def document() -> inspect.StructType:
    """The type of the whole document."""
    return struct(pb.Playbook)


@cache
def struct(kind: type[pb.Section]) -> inspect.StructType:
    """The fields of a part of it."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


@cache
def fields(kind: type) -> dict[str, inspect.Field]:
    """By name, those that are written: all but `ext`."""
    return {field.name: field for field in struct(kind).fields if field.name != "ext"}


@cache
def key_of(kind: type) -> str:
    """The field by which records of a list are told apart: `id` or `name`; empty where they have neither."""
    known = fields(kind)
    return next((name for name in ("id", "name") if name in known and text_kind(known[name].type) == "id"), "")


def text_kind(type_: inspect.Type) -> TextKind:
    """What kind of text a type takes, for a type that takes texts."""
    return next((kind for known, kind in _KINDS if known == type_), "text")


def optional(type_: inspect.Type) -> inspect.Type:
    """The type without its null."""
    if isinstance(type_, inspect.UnionType):
        kept = tuple(one for one in type_.types if not isinstance(one, inspect.NoneType))
        return kept[0] if len(kept) == 1 else inspect.UnionType(kept)
    return type_


def is_spoken(type_: inspect.Type) -> bool:
    """Whether it is a text or one for each language."""
    return optional(type_) == _SPOKEN


def record_of(type_: inspect.Type) -> type[pb.Section] | None:
    """The class of the records that a list of records holds."""
    if isinstance(type_, inspect.ListType) and isinstance(type_.item_type, inspect.StructType):
        return cast("type[pb.Section]", type_.item_type.cls)
    return None


def example(kind: type[pb.Section]) -> str:
    """The names of its fields, in their order, for a sentence."""
    return ", ".join(fields(kind))


def is_json_schema(type_: inspect.Type) -> bool:
    """Whether it holds whatever JSON can hold."""
    return isinstance(type_, inspect.DictType) and isinstance(type_.value_type, inspect.CustomType)
