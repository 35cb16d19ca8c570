"""What Twilio posts, and how its fields are read: https://www.twilio.com/docs/voice/twiml#request-parameters."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec

from scriza.kernel.errors import BadInput

Form = Mapping[str, Sequence[str]]
"""A posted form: every name with its values, in their order; there is at least one, perhaps blank."""

SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What an id of Twilio's looks like: of a call, a message, a recording."""

_MOST_FIELDS = 200
_MOST_DIGITS = 9
_E164 = re.compile(r"\+[1-9]\d{1,14}")
_WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""Numbers that spell ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a phone's keys."""


def parse_form(body: bytes) -> Form:
    """The fields of an ``application/x-www-form-urlencoded`` body, blanks and repeats kept. Raises BadInput."""
    try:
        fields = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise BadInput("not a form in UTF-8 with a reasonable number of fields") from error
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(name, []).append(value)
    return form


def parse_json(body: bytes) -> Form:
    """The fields of a JSON body, as a form would have them. Raises BadInput."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, str | int | float | bool | None])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput("not a JSON object of plain values") from error
    return {name: ["" if value is None else str(value)] for name, value in fields.items()}


def one(form: Form, name: str) -> str:
    """The field's first value; empty when there is none."""
    values = form.get(name)
    return values[0] if values else ""


def sid(form: Form, name: str) -> str:
    """The id in a field. Raises BadInput when there is none, or not a usable one."""
    value = one(form, name)
    if not SID.fullmatch(value):
        raise BadInput(f"the form has no {name}, or not a usable one")
    return value


def number(form: Form, name: str) -> int | None:
    """The whole number in a field; none when it is blank. Raises BadInput for anything else."""
    value = one(form, name)
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > _MOST_DIGITS:
        raise BadInput(f"{name} is not a number")
    return int(value)


def phone_number(form: Form, name: str) -> str:
    """The phone number in a field, E.164; empty when there is none, or it is withheld."""
    value = one(form, name)
    return value if _E164.fullmatch(value) and value not in _WITHHELD else ""
