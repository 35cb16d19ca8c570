"""Documents for Hypothesis as people write them, by the types of the schema: right in their parts, untidy in form."""

from functools import cache
from typing import Any, cast

from hypothesis import strategies as st
from msgspec import inspect

from scriza.modules.strategy import shape
from scriza.ports.playbook import Playbook, Section

_SIGNS = st.sampled_from(
    [
        *"aeinrst .,!?'\"-:#{}",
        *("é", "e\u0301", "ü", "\ufb01", "क", "ि", "\u2019", "\u201c"),
        *("\r\n", "\r", "\t", "\u00a0", "\ufeff", "\x07"),
    ]
)
_MESSY = st.lists(_SIGNS, min_size=1, max_size=12).map("".join)
_WORDS = st.sampled_from(
    ["Hello", "{{ First Name }}", "{ time }", "{{{a}}}", "price", "so", "\u2018quoted\u2019", "Yes."]
)
_TEXT = st.one_of(_MESSY, st.lists(_WORDS, min_size=1, max_size=5).map(" ".join))
_LINE = _TEXT.filter(lambda text: any(char.isalnum() for char in text))
_IDS = st.sampled_from(
    [
        "price",
        "Price",
        " price ",
        "Price!",
        "too much",
        "Too_Much",
        "2nd call",
        "Über uns",
        "don\u2019t know",
        "x" * 80,
        "n-1",
    ]
)
_BY_KIND: dict[shape.TextKind, st.SearchStrategy[Any]] = {
    "id": _IDS,
    "ref": st.one_of(st.just(""), _IDS),
    "line": st.one_of(_LINE, st.integers(0, 99)),
    "locale": st.sampled_from(["en-IN", "en_in", " EN-us", "hi", "zh-hant-tw", "es-419"]),
    "number": st.sampled_from(["", "+14155550123", "+44 20 7946 0958", "(415) 555-0123", "sip:desk@example.com"]),
    "currency": st.sampled_from(["USD", "eur", " inr "]),
    "keys": st.sampled_from(["", "1", "12#", "w3"]),
    "text": _TEXT,
}
_PATTERNS = {
    r"^(\d{4}-\d{2}-\d{2})?$": st.sampled_from(["", "2026-12-31"]),
    r"^(\d{2}:\d{2}-\d{2}:\d{2})?$": st.sampled_from(["", "09:00-18:00"]),
    r"^([A-Z][A-Z0-9_]{0,63})?$": st.sampled_from(["", "CRM_TOKEN"]),
    r"\S": _LINE,
}
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), _TEXT), lambda inner: st.lists(inner, max_size=2)
)
_EXT = st.dictionaries(st.sampled_from(["x-crm", "x-note"]), _JSON, max_size=1)
_CERTAIN: dict[str, st.SearchStrategy[Any]] = {
    "schema": st.just("scriza.playbook/1"),
    "locale": st.sampled_from(["en-US", "en_gb"]),
}
_MOST_OPTIONAL = 3
"""Fields that a record has beside those that it must have: many small documents find more than few large ones."""


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """A document that has everything it must have, and now and then what it may have."""
    return _record(Playbook)


@cache
def _record(kind: type[Section]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _CERTAIN[name] if name in _CERTAIN else _value(f.type) for name, f in shape.fields(kind).items()}
    needed = sorted(name for name, field in shape.fields(kind).items() if field.required and name != "id")
    optional = sorted(fields.keys() - needed)

    beside = st.lists(st.sampled_from(optional), max_size=_MOST_OPTIONAL, unique=True) if optional else st.just([])

    @st.composite
    def record(draw: st.DrawFn) -> dict[str, Any]:
        some = draw(beside)
        return {name: draw(fields[name]) for name in [*needed, *some]} | draw(_EXT)

    return record()


def _value(type_: inspect.Type) -> st.SearchStrategy[Any]:
    type_ = shape.optional(type_)
    if shape.is_spoken(type_):
        return st.one_of(_LINE, st.dictionaries(st.sampled_from(["en_us", "hi-in"]), _LINE, min_size=1))
    match type_:
        case inspect.StructType(cls=kind):
            return _record(cast("type[Section]", kind))
        case inspect.ListType():
            least = type_.min_length or 0
            return st.lists(_value(type_.item_type), min_size=least, max_size=max(least, 2))
        case inspect.DictType() if shape.is_json_schema(type_):
            return st.dictionaries(st.sampled_from(["type", "a b"]), _JSON, max_size=2)
        case inspect.DictType():
            return st.dictionaries(_value(type_.key_type), _value(type_.value_type), max_size=2)
        case inspect.StrType() if shape.text_kind(type_) == "text" and type_.pattern:
            return _PATTERNS[type_.pattern]
        case inspect.StrType() if shape.text_kind(type_) == "text" and type_.min_length:
            return _LINE
        case inspect.StrType():
            return _BY_KIND[shape.text_kind(type_)]
        case inspect.IntType():
            return st.integers(int(type_.ge or 0), int(type_.le if type_.le is not None else 99_999))
        case inspect.FloatType():
            return st.one_of(st.floats(0, 2), st.integers(0, 2))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case _:
            return st.booleans()
