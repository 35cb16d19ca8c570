"""What a model is told of a tool's use: data, never instructions. Pure.

A tool's server is not ours. What it tells is cut to size, freed of characters that nobody sees and of marks that models
take for a change of speaker, and handed on as a value inside JSON of ours.
"""

import re
import unicodedata

import msgspec

from scriza.modules.agent.tools.runs import Run

_MOST_CHARACTERS = 2_000
_MARKS = re.compile(r"<\|[^|<>]{0,40}\|>|\[/?INST\]|</?s>|<</?SYS>>", re.IGNORECASE)
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}

UNKNOWN = "It may have been done, but nobody has told. Do not try again; say that a colleague makes sure of it."
NOT_NOW = "It cannot be done now. Offer that a colleague does it."
ALREADY = "This was done earlier in the call, and not a second time."
LATER = "Done when your answer has been heard."


class Told(msgspec.Struct, omit_defaults=True):
    """A tool's message to the model."""

    status: str
    data: object = None
    note: str = ""


def told(run: Run, turn: int) -> str:
    """What came of a run, as it is told in a turn."""
    data = _data(run.result)
    match run.state:
        case "done":
            return _encoded(Told("done", data, ALREADY if run.turn != turn else ""))
        case "failed":
            return _encoded(Told("not done", data or None, "" if data else NOT_NOW))
        case "unknown" | "running":
            return _encoded(Told("unknown", note=UNKNOWN))


def was_done(message: str) -> bool:
    """Whether a message to the model tells that the tool did what it was asked."""
    return msgspec.json.decode(message, type=Told).status == "done"


def refused(why: str) -> str:
    """A use that was not even tried, and why."""
    return _encoded(Told("not done", note=why))


def promised() -> str:
    """An act, which follows when the answer was heard."""
    return _encoded(Told("done", note=LATER))


def clean(text: str) -> str:
    """Text of others without what is not seen when it is read."""
    normal = unicodedata.normalize("NFC", _MARKS.sub(" ", text))
    seen = (" " if each.isspace() else each for each in normal if each.isspace() or _is_seen(each))
    return " ".join("".join(seen).split())


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in _HIDDEN


def _data(text: str) -> object:
    """A JSON value with clean strings, where the text is one and short enough; else the beginning of the text."""
    try:
        value = _cleaned(msgspec.json.decode(text)) if text else ""
    except (msgspec.DecodeError, RecursionError):
        return clean(text)[:_MOST_CHARACTERS]
    if len(msgspec.json.encode(value)) > _MOST_CHARACTERS:
        return clean(text)[:_MOST_CHARACTERS]
    return value


def _cleaned(value: object) -> object:
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(str(name)): _cleaned(each) for name, each in value.items()}
        case list():
            return [_cleaned(each) for each in value]
        case _:
            return value


def _encoded(message: Told) -> str:
    return msgspec.json.encode(message).decode()
