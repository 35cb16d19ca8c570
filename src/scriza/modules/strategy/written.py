"""A playbook as people read and edit it: YAML in the order of the schema, with long texts as blocks."""

import msgspec
import yaml

from scriza.modules.strategy.ingest.yaml_source import is_plain_value
from scriza.ports.playbook import Playbook, Section

_DUMPER: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WIDTH = 110


def to_yaml(playbook: Playbook) -> str:
    """The playbook in YAML, from which `ingest` reads the same one, `x-` fields in their places.

    An empty line stands before each part of the document.
    """
    parts: list[str] = []
    for key, value in as_written(playbook).items():
        part = yaml.dump(
            *({key: value}, None, _Dumper),
            sort_keys=False,
            allow_unicode=True,
            width=_WIDTH,
            default_flow_style=False,
        )
        parts.append(f"\n{part}" if isinstance(value, dict | list) else part)
    return "".join(parts)


def as_written(section: Section) -> dict[str, object]:
    """A record as plain values in the order of the schema, without its defaults, with `ext` beside the other fields."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if field.name != "ext" and (field.required or value not in (field.default, *_empty(field))):
            found[field.name] = _plain(value)
    return found | section.ext


def _empty(field: msgspec.structs.FieldInfo) -> list[object]:
    return [field.default_factory()] if callable(field.default_factory) else []


def _plain(value: object) -> object:
    match value:
        case Section():
            return as_written(value)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


class _Dumper(_DUMPER):  # type: ignore[misc, valid-type]  # one of two classes, chosen by how PyYAML was built
    """Writes texts of several lines as blocks, and quotes what would be read as something else than a text."""

    def represent_text(self, text: str) -> yaml.Node:
        style = None
        if is_plain_value(text):
            style = '"'
        elif "\n" in text:
            style = "|" if text == text.strip() else '"'  # a block that ends in empty lines ends the whole document
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # type: ignore[no-any-return]


_Dumper.add_representer(str, _Dumper.represent_text)
