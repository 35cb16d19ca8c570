"""Whether something follows from what was said: pure.

A quote counts when its words stand in the utterance, in that order and next to each other; case and punctuation do not
matter. A value counts when it is among what the quote can mean, by its type. Nothing else is believed, whoever says it:
a model that was talked into something finds no words for it.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from typing import Literal

from scriza.modules.memory.readings import dates, digits, numbers, times, with_figures
from scriza.ports.memory import Value

Kind = Literal["str", "int", "bool", "date", "time", "phone", "email", "money", "enum"]
"""The types of the playbook's variables and fields."""

_LETTERS = r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff])+"
"""With accents and the vowel signs of Indian scripts, which are no letters by themselves."""
_WORD = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*")
_SPOKEN_SIGNS = frozenset("at dot dash hyphen underscore point period the rate of".split())
_NEGATIONS = frozenset(
    "no not never none nope nah neither nor without cannot nobody nothing dont doesnt didnt isnt arent wasnt werent "
    "wont wouldnt cant couldnt shouldnt havent hasnt hadnt aint nahi nahin \u0928\u0939\u0940\u0902 \u0928\u0939\u0940 "
    "\u092e\u0924 nein nicht kein keine non pas n\u00e3o nunca".split()
)
"""In English, and in Hindi, German, French, Spanish and Portuguese."""
_FEWEST_DIGITS = 7
_PRESSED = "pressed "
"""Before keys that were pressed, as `scriza.ports.agent.with_keys` has them in a transcript."""


def quoted(quote: str, said: str) -> str:
    """The words of the utterance that the quote repeats, as they stand there; empty when it does not say them."""
    wanted, words = _words(quote), list(_WORD.finditer(said))
    folded = [_folded(word[0]) for word in words]
    for start in range(len(folded) - len(wanted) + 1):
        if wanted and folded[start : start + len(wanted)] == wanted:
            return said[words[start].start() : words[start + len(wanted) - 1].end()]
    return ""


def follows(value: Value, kind: Kind, quote: str, on: date) -> bool:
    """Whether the value follows from the quote, said on the day `on`. Values of an `enum` have to be said."""
    match kind:
        case "int":
            return _whole(value) in numbers(quote)
        case "bool":
            return isinstance(value, bool) and value is not _denies(quote)
        case "date":
            return str(value) in {day.isoformat() for day in dates(quote, on)}
        case "time":
            return str(value) in times(quote) or _says(str(value), quote)
        case "phone":
            return _same_phone(str(value), quote)
        case "email":
            address = _letters(str(value))
            return "@" in str(value) and bool(address) and address in _letters(quote)
        case "money":
            return bool(numbers(str(value))) and numbers(str(value)) <= numbers(quote)
        case "str" | "enum":
            return _says(str(value).replace("_", " "), quote)


def witness(value: str, kind: Kind, said: str, on: date, values: Sequence[str] = ()) -> str:
    """The words of an utterance from which a value that was learned in it follows; empty when it does not.

    Which of an enum's `values` is meant was decided by the playbook's own words for it, so the utterance stands for it.
    """
    if found := quoted(value.replace("_", " "), said):
        return found
    keys = said.rpartition(_PRESSED)
    if keys[1] and value == digits(keys[2]):
        return f"{_PRESSED}{keys[2]}"
    meant = typed(value, kind, on)
    known = kind == "enum" and value in values
    return said.strip() if known or (meant is not None and follows(meant, kind, said, on)) else ""


def typed(value: str, kind: Kind, on: date) -> Value | None:
    """A value that was learned on the day `on`, as a field of this type has it; none when it is no such thing.

    Of the days that a date may be, the next one to come.
    """
    match kind:
        case "int":
            found = numbers(value)
            return found.pop() if len(found) == 1 else None
        case "bool":
            return {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower())
        case "date":
            days = dates(value, on)
            return min((day for day in days if day >= on), default=max(days)).isoformat() if days else None
        case _:
            return value


def _says(value: str, quote: str) -> bool:
    return bool(quoted(value, quote) or quoted(with_figures(value.lower()), with_figures(quote.lower())))


def _whole(value: Value) -> int | None:
    """The whole number that a value is; none for a longer one than words are read as."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\s*-?\d{1,15}\s*", value) else None
    return None if isinstance(value, bool) else value


def _denies(quote: str) -> bool:
    return not _NEGATIONS.isdisjoint(_words(quote))


def _same_phone(value: str, quote: str) -> bool:
    wanted, said = digits(value), digits(quote)
    return len(said) >= _FEWEST_DIGITS and (wanted in said or wanted.endswith(said))


def _letters(text: str) -> str:
    """Letters and figures alone, without what is said for signs: the letters of an address, spoken or written."""
    return "".join(word for word in _words(text) if word not in _SPOKEN_SIGNS)


def _words(text: str) -> list[str]:
    return [_folded(word) for word in _WORD.findall(text)]


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold().replace("'", "").replace("\u2019", "")
