"""The one form that a playbook is kept and named by."""

from hashlib import sha256
from typing import TypeVar

import msgspec

from scriza.ports.playbook import Playbook, Section

_S = TypeVar("_S", bound=Section)
_DIGITS = 32


def canonical(playbook: Playbook) -> bytes:
    """The playbook as JSON in which equal documents have equal bytes: keys sorted, defaults left out.

    Only for a normalised one the bytes also do not depend on how it was written; see `normalise`.
    """
    return msgspec.json.encode(without_defaults(playbook), order="deterministic")


def version_id(playbook: Playbook) -> str:
    """``sv_`` and the first 32 hex digits of the SHA-256 of the canonical JSON."""
    return f"sv_{sha256(canonical(playbook)).hexdigest()[:_DIGITS]}"


def without_defaults(section: _S) -> _S:
    """The same record, in which whatever equals a default is that default, which msgspec then leaves out.

    By itself it leaves out empty containers and equal strings and integers, but not equal floats and records.
    """
    changed: dict[str, object] = {}
    for field in msgspec.structs.fields(section):
        before = getattr(section, field.name)
        after = field.default if before == field.default else _inside(before)
        if after is not before:
            changed[field.name] = after
    return msgspec.structs.replace(section, **changed) if changed else section


def _inside(value: object) -> object:
    match value:
        case Section():
            return without_defaults(value)
        case list():
            return _same_or([_inside(item) for item in value], value)
        case dict() if any(isinstance(item, Section) for item in value.values()):
            return {key: _inside(item) for key, item in value.items()}
        case _:
            return value


def _same_or(new: list[object], old: list[object]) -> list[object]:
    return old if all(a is b for a, b in zip(new, old, strict=True)) else new
