"""Single changes of a document, by the pointers that a diff tells."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from scriza.kernel.errors import BadInput
from scriza.modules.strategy.pointers import keys_of
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import Edit

_NEW = "-"
"""As a last key: behind all that is in the list."""


def edited(playbook: Playbook, edits: Sequence[Edit]) -> dict[str, object]:
    """The playbook's document with the edits made in their order, for `normalise`. Raises BadInput, with where."""
    document: dict[str, object] = msgspec.to_builtins(playbook)
    for edit in edits:
        keys = keys_of(edit.pointer)
        if not keys or not edit.pointer.startswith("/"):
            raise BadInput("edits: a pointer begins with / and names a field")
        *way, last = keys
        part: object = document
        for index, key in enumerate(way):
            part = _into(part, key, keys[index + 1], edit, is_top=index == 0)
        if edit.value is UNSET:
            _remove(part, last, edit)
        else:
            _put(part, last, edit)
    return document


def _into(part: object, key: str, next_key: str, edit: Edit, *, is_top: bool) -> object:
    match part:
        case dict():
            if key not in part and edit.value is not UNSET:
                # What equals its default is left out of a document.
                part[key] = [] if next_key == _NEW or (is_top and key in _LISTS) else {}
            if key in part:
                return part[key]
        case list():
            at = _place(part, key)
            if at is not None:
                return part[at]
    raise _nothing_there(edit)


def _put(part: object, key: str, edit: Edit) -> None:
    match part:
        case dict():
            part[key] = edit.value
        case list():
            at = _place(part, key)
            if at is not None:
                part[at] = edit.value
            elif key == _NEW or key.isdecimal():
                part.append(edit.value)
            elif isinstance(edit.value, dict):
                part.append({"id": key, **edit.value})
            else:
                raise _nothing_there(edit)
        case _:
            raise _nothing_there(edit)


def _remove(part: object, key: str, edit: Edit) -> None:
    match part:
        case dict() if key in part:
            del part[key]
        case list() if (at := _place(part, key)) is not None:
            del part[at]
        case _:
            raise _nothing_there(edit)


def _place(items: list[object], key: str) -> int | None:
    """Where in a list: the record of this id or name, the exit that leads there, or the item of this index."""
    to, _, on = key.partition(":")
    for index, item in enumerate(items):
        if isinstance(item, dict) and key in (item.get("id"), item.get("name")):
            return index
        if isinstance(item, dict) and "id" not in item and (item.get("to"), item.get("on", "")) == (to, on):
            return index
    if key.isdecimal() and int(key) < len(items):
        return int(key)
    return None


def _nothing_there(edit: Edit) -> BadInput:
    return BadInput(f"edits: there is nothing at {edit.pointer}")


_LISTS = {field.name for field in msgspec.structs.fields(Playbook) if field.default_factory is list}
