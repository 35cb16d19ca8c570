"""What the answer to a question tells: a caller's words as the value of a variable, by the variable's type. Pure.

Values are kept in words that can be said again: ``tomorrow at three pm``, ``40``, ``ada at example dot com`` as
``ada@example.com``. What does not fit the type is no value, so that the question is asked again. The words are English;
in other languages, text, digits and the values of an `enum` are understood.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from scriza.modules.agent.matching import words
from scriza.ports.playbook import Variable

_LONGEST = 200
"""Characters of a value."""
_UNITS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "lakh": 100_000, "million": 1_000_000, "crore": 10_000_000}
_ROUGHLY = {"couple": 2, "dozen": 12, "none": 0, "nobody": 0}
_DIGITS = {**{w: str(v) for w, v in _UNITS.items() if v < 10}, "oh": "0", "o": "0"}
_TIMES = {"double": 2, "triple": 3}
_YES = frozenset("yes yeah yep yup sure correct right true absolutely definitely certainly indeed ok okay".split())
_NO = frozenset("no nope nah not never false wrong".split())
_DAYS = frozenset(
    "today tonight tomorrow monday tuesday wednesday thursday friday saturday sunday weekend week month "
    "january february march april may june july august september october november december".split()
)
_DATE_WORDS = _DAYS | frozenset("the day after next this coming of in early late end a two three weeks days".split())
_PARTS_OF_DAY = frozenset("morning afternoon evening noon midday midnight lunchtime".split())
_TIME_WORDS = frozenset("at around about half quarter past to after before o'clock am pm in the sharp".split())
_LOOSE = frozenset("at around about past to after before in the of a next this coming early late end day".split())
"""Words that need others beside them."""
_ORDINAL = re.compile(r"\d{1,2}(st|nd|rd|th)?")
_CLOCK = re.compile(r"\b\d{1,2}(?::\d{2})?\s*(?:[ap]\.?\s?m\b\.?)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_EMAIL = re.compile(r"[a-z0-9][a-z0-9._+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}")
_LEAD_IN = re.compile(
    r"^(?:(?:well|so|um|uh|er|oh|yes|yeah|sure|okay|ok|hi|hello)\b[,.!]?\s+)*"
    r"(?:(?:(?:my|our|the) (?:\w+ ){0,3}?is|it(?:'s| is)|that(?:'s| is| would be)|i(?:'m| am)|this is|we(?:'re| are)"
    r"|(?:you can )?call me|it would be|probably)\s+)?",
    re.IGNORECASE,
)
"""What people begin an answer with before they give it."""
_SPOKEN_SIGNS = (
    (re.compile(r"\s+(?:at the rate(?: of)?|at)\s+"), "@"),
    (re.compile(r"\s+(?:dot|period)\s+"), "."),
    (re.compile(r"\s+(?:underscore)\s+"), "_"),
    (re.compile(r"\s+(?:dash|hyphen|minus)\s+"), "-"),
)


def value_of(variable: Variable, utterance: str, digits: str = "") -> str:
    """The variable's value by an answer, or by keys that were pressed; empty when it tells none."""
    if digits and variable.type in ("int", "phone", "str"):
        pressed = digits.rstrip("#")
        return pressed if pressed.isdigit() else ""
    return _READERS[variable.type](variable, utterance)[:_LONGEST]


def heard_value(variable: Variable, told: str) -> str:
    """The value that somebody else has heard, a model say, in the form that is kept; empty when it can be none."""
    value = " ".join(told.split())
    if not value or len(value) > _LONGEST or not value.isprintable():
        return ""
    return value if variable.type in ("date", "time", "money", "str") else value_of(variable, value)


def _text(_: Variable, utterance: str) -> str:
    said = " ".join(utterance.split()).strip(" .,!?")
    return (_LEAD_IN.sub("", said) or said).strip(" .,!?")


def _integer(_: Variable, utterance: str) -> str:
    if found := _NUMBER.search(utterance):
        return found[0].replace(",", "").partition(".")[0]
    number = _number(words(utterance))
    return "" if number is None else str(number)


def _number(said: Sequence[str]) -> int | None:
    """The first number that is said in words: ``a hundred and twenty`` is 120."""
    total = current = 0
    begun = False
    for word in said:
        if word in _UNITS:
            current += _UNITS[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word in _SCALES:
            current = max(current, 1) * _SCALES[word]
            if _SCALES[word] > 100:
                total, current = total + current, 0
        elif word in _ROUGHLY:
            current = max(current, 1) * _ROUGHLY[word]
        elif begun and word == "and":
            continue
        elif begun:
            break
        else:
            continue
        begun = True
    return total + current if begun else None


def _boolean(_: Variable, utterance: str) -> str:
    """By the first word that decides it: ``no, we don't`` and ``not really`` are no."""
    first = next((word for word in words(utterance) if word in _YES or word in _NO), "")
    return ("yes" if first in _YES else "no") if first else ""


def _date(_: Variable, utterance: str) -> str:
    return _run(words(utterance), lambda word: word in _DATE_WORDS or bool(_ORDINAL.fullmatch(word)), _DAYS)


def _time(_: Variable, utterance: str) -> str:
    """A time of day, with the day where it is said along with it."""
    said = words(utterance)
    heads = {word for word in said if word in _PARTS_OF_DAY or word in _UNITS or _CLOCK.fullmatch(word)}
    known = _TIME_WORDS | _DATE_WORDS | _UNITS.keys() | _TENS.keys() | heads
    return _run(said, lambda word: word in known, heads)


def _run(said: Sequence[str], belongs: Callable[[str], bool], heads: Iterable[str]) -> str:
    """The longest run of words that belong together and hold a head, without loose words at its ends."""
    wanted = set(heads)
    runs: list[list[str]] = [[]]
    for word in said:
        if belongs(word):
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    longest = max((_tied(run) for run in runs if wanted.intersection(run)), key=len, default=[])
    return " ".join(longest)


def _tied(run: list[str]) -> list[str]:
    start, end = 0, len(run)
    while start < end and run[start] in _LOOSE - {"the", "next", "this", "day"}:
        start += 1
    while end > start and run[end - 1] in _LOOSE - {"day"}:
        end -= 1
    return run[start:end]


def _phone(_: Variable, utterance: str) -> str:
    """Its digits, however they are said: ``double five oh one`` is 5501; between seven and fifteen of them."""
    digits, times = "", 1
    for word in words(utterance):
        if word in _TIMES:
            times = _TIMES[word]
            continue
        digit = word if word.isdigit() else _DIGITS.get(word, "")
        digits += digit * (times if len(digit) == 1 else 1)
        times = 1
    if not 7 <= len(digits) <= 15:
        return ""
    return f"+{digits}" if utterance.lstrip().startswith(("+", "plus")) else digits


def _email(_: Variable, utterance: str) -> str:
    text = f" {' '.join(utterance.casefold().split()).strip(' .!?')} "
    if "@" not in text:
        for spoken, sign in _SPOKEN_SIGNS:
            text = spoken.sub(sign, text)
        text = re.sub(r"(?<=\b\w)\s+(?=\w\b)", "", text)  # a name that is spelt, letter by letter
    found = _EMAIL.search(text)
    return found[0] if found else ""


def _money(variable: Variable, utterance: str) -> str:
    """An amount in the caller's words: ``about 500 dollars`` is ``500 dollars``."""
    amount = _integer(variable, utterance)
    if not amount:
        return ""
    said = words(utterance)
    unit = next((word for word in said if word in _CURRENCIES), "")
    return f"{amount} {unit}".strip()


_CURRENCIES = frozenset("dollar dollars euro euros pound pounds rupee rupees cents usd eur gbp inr".split())


def _one_of(variable: Variable, utterance: str) -> str:
    """The value whose words are all said; of several, the longest, and of equals the one that is said first."""
    said = words(utterance)
    heard = [(len(words(value)), -_position(words(value), said), value) for value in variable.values]
    fitting = [found for found in heard if found[1] <= 0]
    return max(fitting, default=(0, 0, ""))[2]


def _position(part: Sequence[str], whole: Sequence[str]) -> int:
    """Where `part` begins in `whole`; -1 when it is not there."""
    places = range(len(whole) - len(part) + 1)
    return next((at for at in places if list(whole[at : at + len(part)]) == list(part)), -1)


_READERS: dict[str, Callable[[Variable, str], str]] = {
    "str": _text,
    "int": _integer,
    "bool": _boolean,
    "date": _date,
    "time": _time,
    "phone": _phone,
    "email": _email,
    "money": _money,
    "enum": _one_of,
}
