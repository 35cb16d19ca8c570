"""What spoken words can mean as numbers, dates, times and digits: pure, in English.

A reading is everything that the words may mean; `evidence` asks whether a value is among it. So ambiguous words ("five
o'clock") have several readings, and what is not understood has none.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10 * value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1_000,
    "k": 1_000,
    "lakh": 100_000,
    "lakhs": 100_000,
    "lac": 100_000,
    "million": 1_000_000,
    "crore": 10_000_000,
    "crores": 10_000_000,
    "billion": 1_000_000_000,
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
        "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        1,
    )
} | {"thirtieth": 30}
_DIGITS = {word: str(value) for word, value in _SMALL.items() if value < 10} | {"oh": "0", "o": "0"}
_REPEATED = {"double": 2, "triple": 3}
_MONTHS = {
    name[:length]: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(), 1
    )
    for length in (3, len(name))
} | {"sept": 9}
_WEEKDAYS = {name: day for day, name in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())}

_MOST_FIGURES = 15
_LONGEST_PIECE = 30
_PIECE = re.compile(r"\d+(?:,\d{2,3})+(?:\.\d+)?|\d+(?:\.\d+)?|[a-z]+")
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_SLASHED_DATE = re.compile(r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4}|\d{2})\b")
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_MONTH = f"({'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DAY_MONTH = re.compile(rf"\b{_DAY}(?: of)? {_MONTH}\b(?:,? (\d{{4}}))?")
_MONTH_DAY = re.compile(rf"\b{_MONTH}(?: the)? {_DAY}\b(?:,? (\d{{4}}))?")
_AHEAD = re.compile(r"\b(?:in )?(\d{1,4}) (day|week)s?\b")
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.](\d{2}))? ?(am|pm|oclock)?\b")


def numbers(text: str) -> set[int]:
    """All whole numbers below 10^15, as figures or spelled out: ``twenty five``, ``2.5 lakh``, ``1,200``."""
    found = _values(_PIECE.findall(text.lower()))
    return {int(value) for value in found if value.denominator == 1 and value < 10**_MOST_FIGURES}


def _values(pieces: list[str]) -> Iterator[Fraction]:
    """A number ends at the first word that does not go on with it: a unit behind a unit begins the next one."""
    total, group, last = Fraction(0), Fraction(0), ""
    for piece in [*pieces, ""]:
        kind, value = _kind(piece)
        if kind == "scale" and last:
            group = (group or Fraction(1)) * value
            if value > 100:
                total, group = total + group, Fraction(0)
        elif (kind in ("unit", "tens") and last in ("", "scale", "article")) or (
            (kind, last) == ("unit", "tens") and 0 < value < 10
        ):
            group += value
        elif kind == "and" and last == "scale":
            continue
        else:
            if last not in ("", "article"):
                yield total + group
            total, group = Fraction(0), value
            if kind in ("and", "scale"):
                kind, group = "", Fraction(0)
        last = kind


def _kind(piece: str) -> tuple[str, Fraction]:
    """Which part of a number a word can be, empty for none, and what it is worth."""
    if piece in _SCALES:
        return "scale", Fraction(_SCALES[piece])
    if piece in _TENS:
        return "tens", Fraction(_TENS[piece])
    if piece in _SMALL:
        return "unit", Fraction(_SMALL[piece])
    if piece == "couple":
        return "unit", Fraction(2)
    if piece[:1].isdigit():
        # A longer row is the number of something. Read as a value, it is more than is converted or stored.
        return ("unit", Fraction(piece.replace(",", ""))) if len(piece) <= _LONGEST_PIECE else ("", Fraction(0))
    return {"a": "article", "an": "article", "and": "and"}.get(piece, ""), Fraction(0)


def digits(text: str) -> str:
    """All digits in a row, said one by one or in groups: ``nine eight double seven`` is 9877."""
    found, times = "", 1
    for piece in re.findall(r"\d|[a-z]+", text.lower()):
        if piece in _REPEATED:
            times = _REPEATED[piece]
            continue
        figure = _DIGITS.get(piece, piece if piece.isdigit() else "")
        found, times = found + figure * times, 1
    return found


def dates(text: str, on: date) -> set[date]:
    """All days that the words may name, said on the day `on`."""
    words = with_figures(text.lower())
    found: set[date | None] = set(_relative(words, on))
    found.update(_made(int(year), int(month), int(day)) for year, month, day in _ISO_DATE.findall(words))
    for one, two, year in _SLASHED_DATE.findall(words):
        full = int(year) + (2000 if len(year) == 2 else 0)
        found |= {_made(full, int(two), int(one)), _made(full, int(one), int(two))}
    named = [(day, month, year) for day, month, year in _DAY_MONTH.findall(words)]
    named += [(day, month, year) for month, day, year in _MONTH_DAY.findall(words)]
    for day, month, year in named:
        years = [int(year)] if year else [on.year, on.year + 1]
        found.update(_made(each, _MONTHS[month], int(day)) for each in years)
    return {day for day in found if day is not None}


def _relative(words: str, on: date) -> Iterator[date]:
    if "day after tomorrow" in words:
        yield on + timedelta(days=2)
        words = words.replace("day after tomorrow", "")
    for word, days in (("yesterday", -1), ("today", 0), ("tonight", 0), ("tomorrow", 1)):
        if re.search(rf"\b{word}\b", words):
            yield on + timedelta(days=days)
    for count, unit in _AHEAD.findall(words):
        if int(count) <= 1000:
            yield on + timedelta(days=int(count) * (7 if unit == "week" else 1))
    if "next week" in words:
        yield on + timedelta(days=7)
    for name, weekday in _WEEKDAYS.items():
        if re.search(rf"\b{name}\b", words):
            ahead = (weekday - on.weekday() - 1) % 7 + 1
            yield from (on + timedelta(days=days) for days in (ahead, ahead + 7))


def _made(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def with_figures(words: str) -> str:
    """Spelled numbers up to 59 and ordinals as figures, and one space between words."""
    shown: list[str] = []
    tens = 0
    for word in re.findall(r"[a-z']+|[^a-z'\s]+", words):
        value = _ORDINALS.get(word, _SMALL.get(word))
        if word in _TENS:
            if tens:
                shown.append(str(tens))
            tens = _TENS[word]
            continue
        if tens:
            joins = value is not None and 0 < value < 10
            shown.append(str(tens + (value or 0) if joins else tens))
            tens = 0
            if joins:
                continue
        shown.append(word if value is None else str(value))
    return " ".join([*shown, str(tens)] if tens else shown).replace(" : ", ":")


def times(text: str) -> set[str]:
    """All times of day that the words may name, as ``HH:MM``."""
    words = with_figures(re.sub(r"\b([ap])\.m\b\.?", r"\1m", re.sub(r"\bo'? ?clock", "oclock", text.lower())))
    found = {shown for word, shown in (("noon", "12:00"), ("midnight", "00:00")) if word in words}
    for fraction, side, hour in re.findall(r"\b(half|quarter) (past|to) (\d{1,2})\b", words):
        minutes = 30 if fraction == "half" else 15
        found |= _on_the_clock(int(hour) * 60 + (minutes if side == "past" else -minutes), "")
    for hour, minute, half in _CLOCK.findall(re.sub(r"\b(\d{1,2}) (\d{2})\b", r"\1:\2", words)):
        if int(hour) < 24 and int(minute or 0) < 60:
            found |= _on_the_clock(int(hour) * 60 + int(minute or 0), half)
    return found


def _on_the_clock(minutes: int, half: str) -> set[str]:
    hour, minute = divmod(minutes % (24 * 60), 60)
    if half in ("am", "pm"):
        hours = {hour % 12 + (12 if half == "pm" else 0)}
    else:
        hours = {hour, (hour + 12) % 24} if hour <= 12 else {hour}
    return {f"{each:02}:{minute:02}" for each in hours}
