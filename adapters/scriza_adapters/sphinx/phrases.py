"""A playbook's phrases as they are spoken: lower-case words, numbers in words, nothing that no one says."""

import re
import unicodedata
from collections.abc import Iterable

FILLERS = ("uh huh", "mm hmm", "mhm", "hmm")
"""What callers say without saying anything; not in the list, it would be taken for the phrase it sounds most like."""

_SIGNS = str.maketrans({"&": " and ", "%": " percent ", "+": " plus ", "@": " at ", "\u2019": "'"})
_MONEY = re.compile(r"([$€£₹])\s?(\d+)(?:[.,](\d\d))?(?!\d)")
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "₹": "rupees"}
_THOUSANDS = re.compile(r"(?<=\d)[, ](?=\d{3}\b)")
_NUMBER = re.compile(r"\d+")
_BREAKS = re.compile(r"[^\w']+|_")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def spoken(phrase: str) -> str:
    """The phrase as it sounds, words with spaces between; empty when it holds what English cannot say."""
    text = unicodedata.normalize("NFKD", phrase.translate(_SIGNS).lower())
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = _MONEY.sub(lambda money: f"{money[2]} {_CURRENCIES[money[1]]} {money[3] or ''}", text)
    text = _NUMBER.sub(lambda digits: f" {in_words(digits[0])} ", _THOUSANDS.sub("", text))
    words = [word.strip("'") for word in _BREAKS.sub(" ", text).split()]
    words = [word for word in words if word]
    return " ".join(words) if all(_WORD.fullmatch(word) for word in words) else ""


def in_words(digits: str) -> str:
    """A number as it is read; one of more than six digits, or with a leading zero, digit by digit."""
    if len(digits) > 6 or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_ONES[int(digit)] for digit in digits)
    return _cardinal(int(digits))


def _cardinal(number: int) -> str:
    if number < 20:
        return _ONES[number]
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {_cardinal(number % size)}" if number % size else ""
            return f"{_cardinal(number // size)} {name}{rest}"
    return _TENS[number // 10 - 2] + (f" {_ONES[number % 10]}" if number % 10 else "")


def phrase_list(phrases: Iterable[str]) -> dict[str, str]:
    """The phrases by how they sound, as the playbook writes them; what cannot be said is left out."""
    by_sound: dict[str, str] = {}
    for phrase in (*phrases, *FILLERS):
        sound = spoken(phrase)
        if sound:
            by_sound.setdefault(sound, phrase.strip())
    return by_sound
