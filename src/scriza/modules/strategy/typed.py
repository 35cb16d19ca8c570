"""A document against the types of the schema: everything that is wrong with it, not only the first thing."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import cast

import msgspec
from msgspec import inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Playbook, Section
from scriza.ports.playbook_findings import Finding

_MEANT = {
    "answer": "a",
    "answers": "a",
    "critical": "model_policy.critical_stages",
    "goals": "goal",
    "instructions": "prompt",
    "intro_timeout": "opening.fallback",
    "pronunciation": "pronunciations",
    "question": "q",
    "questions": "ask",
    "reply": "response",
    "style": "style_rules",
    "transitions": "exits",
    "version": "",
}
"""Names that others use, and where what they mean is written here; nowhere for what the schema has no need of."""

_TEXTS: dict[shape.TextKind, tuple[str, str]] = {
    "id": ("is no id", "use up to 64 small letters, digits, `-` and `_`, beginning with a letter"),
    "ref": ("is no id", "use the id of what it refers to"),
    "locale": ("is no language tag", "write language and country as en-US or hi-IN"),
    "number": ("is no phone number", "write it with its country code, as +14155550123, or as sip:name@host"),
    "currency": ("is no currency", "write its three letters, as USD"),
    "keys": ("has other signs than keys of a phone", "use digits, A to D, *, # and w for a pause"),
}
_PATTERNS = {
    r"^(\d{4}-\d{2}-\d{2})?$": ("is no day", "write it as 2026-12-31"),
    r"^(\d{2}:\d{2}-\d{2}:\d{2})?$": ("is no span of hours", "write it as 09:00-18:00"),
    r"^([A-Z][A-Z0-9_]{0,63})?$": ("is no name of a setting", "write capitals, as CRM_TOKEN, never the token itself"),
    r"\S": ("is empty", "write something, or leave the whole entry out"),
}
_SHOWN = 40
"""Characters of a wrong value that a finding repeats."""


def typed(document: Mapping[str, object]) -> tuple[Playbook | None, list[Finding]]:
    """The playbook that a document is, or everything that keeps it from being one."""
    findings = list(_check(document, shape.document(), ""))
    if findings:
        return None, findings
    try:
        return msgspec.convert(document, Playbook), []
    except msgspec.ValidationError as error:  # a rule of the types that the walk below does not know
        return None, [Finding("error", "invalid", str(error))]


def _check(value: object, type_: inspect.Type, pointer: str) -> Iterator[Finding]:
    match type_:
        case inspect.UnionType():
            yield from _check(value, _chosen(value, type_), pointer)
        case inspect.StructType(cls=kind):
            yield from _check_record(value, cast("type[Section]", kind), pointer)
        case inspect.DictType():
            yield from _check_mapping(value, type_, pointer)
        case inspect.ListType():
            yield from _check_list(value, type_, pointer)
        case inspect.StrType():
            yield from _check_text(value, type_, pointer)
        case inspect.LiteralType(values=values) if value not in values or not isinstance(value, str):
            known = [one for one in values if isinstance(one, str) and one]
            near = get_close_matches(value, known, 1) if isinstance(value, str) else []
            fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
            yield _error("unknown-value", f"{_shown(value)} is none of {', '.join(known)}", pointer, fix)
        case inspect.BoolType() if not isinstance(value, bool):
            yield _error("wrong-type", f"{_shown(value)} is neither true nor false", pointer, "write true or false")
        case inspect.IntType() | inspect.FloatType():
            yield from _check_number(value, type_, pointer)


def _check_record(value: object, kind: type[Section], pointer: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _error(
            "wrong-type",
            f"{_shown(value)} stands where several fields belong",
            pointer,
            f"write its fields: {shape.example(kind)}",
        )
        return
    known = shape.fields(kind)
    for key, item in value.items():
        if key == "ext":
            yield from _check_ext(item, below(pointer, key))
        elif key in known:
            yield from _check(item, known[key].type, below(pointer, key))
        else:
            yield _error("unknown-field", f"there is no field {key!r} here", below(pointer, key), _meant(key, kind))
    for name, field in known.items():
        if field.required and name not in value:
            yield _error("missing-field", f"the field {name!r} is missing", pointer, f"add `{name}:` here")


def _check_ext(value: object, pointer: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _error("wrong-type", "ext holds fields of your own", pointer, "write them beside the others, as x-name")
        return
    for key in value:
        if not key.startswith("x-"):
            yield _error("unknown-field", f"{key!r} does not begin with x-", below(pointer, key), f"call it x-{key}")


def _check_mapping(value: object, type_: inspect.DictType, pointer: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _error(
            "wrong-type", f"{_shown(value)} stands where names with values belong", pointer, "write name: value"
        )
        return
    yield from _check_length(len(value), type_.min_length, type_.max_length, "entries", pointer)
    for key, item in value.items():
        yield from _check(key, type_.key_type, below(pointer, key))
        yield from _check(item, type_.value_type, below(pointer, key))


def _check_list(value: object, type_: inspect.ListType, pointer: str) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _error(
            "wrong-type", f"{_shown(value)} stands where a list belongs", pointer, "write each item behind a `-`"
        )
        return
    yield from _check_length(len(value), type_.min_length, type_.max_length, "items", pointer)
    for index, item in enumerate(value):
        yield from _check(item, type_.item_type, below(pointer, index))


def _check_text(value: object, type_: inspect.StrType, pointer: str) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield _error("wrong-type", f"{_shown(value)} stands where a text belongs", pointer, "write it in quotes")
        return
    yield from _check_length(len(value), type_.min_length, type_.max_length, "characters", pointer)
    if type_.pattern is None or (not value and type_.min_length):  # its length has told of an empty one
        return
    if re.search(type_.pattern, value) is None:
        message, fix = _TEXTS.get(shape.text_kind(type_)) or _PATTERNS.get(type_.pattern, ("is not allowed", ""))
        yield _error("wrong-form", f"{_shown(value)} {message}", pointer, fix)


def _check_number(value: object, type_: inspect.IntType | inspect.FloatType, pointer: str) -> Iterator[Finding]:
    takes = int if isinstance(type_, inspect.IntType) else int | float
    if not isinstance(value, takes) or isinstance(value, bool):
        whole = "a whole number" if isinstance(type_, inspect.IntType) else "a number"
        yield _error("wrong-type", f"{_shown(value)} stands where {whole} belongs", pointer, f"write {whole}")
        return
    low, high = type_.ge, type_.le
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"from {low} to {high}" if high is not None else f"of {low} or more"
        yield _error("out-of-bounds", f"{value} is out of bounds", pointer, f"write a number {bounds}")


def _check_length(length: int, least: int | None, most: int | None, what: str, pointer: str) -> Iterator[Finding]:
    if least is not None and length < least:
        yield _error("empty", "it is empty", pointer, "write something, or leave it out")
    if most is not None and length > most:
        yield _error("too-long", f"it has {length} {what}", pointer, f"at most {most} are allowed")


def _chosen(value: object, union: inspect.UnionType) -> inspect.Type:
    """The one of several types that the value seems to be meant as."""
    types = [one for one in union.types if not isinstance(one, inspect.NoneType)]
    if value is None and len(types) < len(union.types):
        return inspect.NoneType()
    wanted = inspect.DictType if isinstance(value, dict) else inspect.StrType
    return next((one for one in types if isinstance(one, wanted)), types[0])


def _meant(key: str, kind: type[Section]) -> str:
    known = shape.fields(kind)
    near = get_close_matches(key.lower(), known, 1, 0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    meant = _MEANT.get(key.lower())
    if meant == "":
        return "leave it out"
    if meant is not None and (meant in known or "." in meant):
        return f"did you mean {meant!r}?"
    return f"known here: {shape.example(kind)}; what is your own is called x-{key}"


def _shown(value: object) -> str:
    match value:
        case dict():
            return "a set of fields"
        case list():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…") if isinstance(value, str) else text[:_SHOWN]


def _error(code: str, message: str, pointer: str, fix: str) -> Finding:
    return Finding(level="error", code=code, message=message, pointer=pointer, fix=fix)
