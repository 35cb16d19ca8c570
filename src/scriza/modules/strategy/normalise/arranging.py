"""The order of what has none: sets of records by their ids, sets of words by the alphabet, and nothing twice."""

from typing import TypeVar, cast

import msgspec

from scriza.modules.strategy import shape
from scriza.ports.playbook import Section

_S = TypeVar("_S", bound=Section)


def arranged(section: _S) -> _S:
    """The record, with every list in it arranged. Lists that have an order keep it; see `shape.ORDERED`."""
    changed = {name: _value(name, getattr(section, name)) for name in shape.fields(type(section))}
    return msgspec.structs.replace(section, **changed)


def _value(name: str, value: object) -> object:
    match value:
        case Section():
            return arranged(value)
        case [Section(), *_]:
            return _records(name, [arranged(cast("Section", item)) for item in value])
        case list():
            return _texts(name, value)
        case dict() if name != "parameters":
            arranged_items = {key: arranged(item) if isinstance(item, Section) else item for key, item in value.items()}
            return dict(sorted(arranged_items.items()))
        case _:
            return value


def _records(name: str, records: list[Section]) -> list[Section]:
    key = shape.key_of(type(records[0]))
    if name in shape.ORDERED or not key:
        return records
    return sorted(records, key=lambda record: str(getattr(record, key)))


def _texts(name: str, items: list[object]) -> list[object]:
    """Without what is there twice, or says nothing."""
    kept: dict[object, object] = {}
    for item in items:
        if isinstance(item, dict):
            in_order = sorted(item.items())
            kept.setdefault(tuple(in_order), dict(in_order))
        elif item != "":
            kept.setdefault(item, item)
    return sorted(kept.values(), key=str) if name in shape.SETS else list(kept.values())
