"""Everything that a playbook has spoken: each line with its pointer and its language."""

from collections.abc import Iterator

import msgspec
from msgspec import inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Playbook, Section

_WHISPERED = "whisper"
"""The one line that is a plain text in the schema, since only the team hears it."""


class Line(msgspec.Struct, frozen=True):
    """A line that is spoken, in one language."""

    pointer: str
    text: str
    locale: str


def spoken_lines(playbook: Playbook) -> Iterator[Line]:
    """Every line that callers, machines or the team may hear, in the order of the document."""
    yield from _of_record(playbook, "", playbook.locale)


def _of_record(section: Section, pointer: str, locale: str) -> Iterator[Line]:
    for name, field in shape.fields(type(section)).items():
        value = getattr(section, name)
        here = below(pointer, name)
        if shape.is_spoken(field.type):
            yield from _of_text(value, here, locale)
        elif isinstance(field.type, inspect.ListType) and shape.is_spoken(field.type.item_type):
            for index, item in enumerate(value):
                yield from _of_text(item, below(here, index), locale)
        elif name == _WHISPERED:
            yield from _of_text(value, here, locale)
        else:
            yield from _of_parts(value, here, locale)


def _of_parts(value: object, pointer: str, locale: str) -> Iterator[Line]:
    match value:
        case Section():
            yield from _of_record(value, pointer, locale)
        case list():
            for index, item in enumerate(value):
                if isinstance(item, Section):
                    yield from _of_record(item, below(pointer, index), locale)
        case dict():
            for key, item in value.items():
                if isinstance(item, Section):
                    yield from _of_record(item, below(pointer, key), locale)


def _of_text(value: object, pointer: str, locale: str) -> Iterator[Line]:
    match value:
        case str() if value:
            yield Line(pointer, value, locale)
        case dict():
            for language, text in value.items():
                yield Line(below(pointer, language), text, language)
