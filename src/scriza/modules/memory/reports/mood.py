"""The mood of a caller's words, by a lexicon: a number that is the same for the same words, and explains itself.

It knows a few hundred words of sales and service calls in five languages (`moods.yaml`). It hears neither tone nor
irony, so it serves to compare stages and versions over many calls, not to judge one caller. How words are weighed and
the sum is bounded follows VADER (Hutto, Gilbert, "VADER: a parsimonious rule-based model for sentiment analysis of
social media text", ICWSM 2014).
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
import yaml

_FILE = Path(__file__).with_name("moods.yaml")
_APOSTROPHE = "\u2019"
_BREAKS = ".,;:!?…।"
_WORD = re.compile(rf"[{_BREAKS}]|[^\s{_BREAKS}\"“”()¿¡]+")
_LONGEST_PHRASE = 3
_NEGATION_REACHES = 3
_TURNED_ROUND = -0.74
"""What is negated says the opposite less strongly."""
_STRONGER, _WEAKER = 1.3, 0.7
_SPREAD = 15.0
_MOST_WORDS = 500


class _Lexicon(msgspec.Struct):
    negators: frozenset[str]
    strong: frozenset[str]
    weak: frozenset[str]
    words: dict[str, float]


def mood(text: str, language: str) -> float | None:
    """From -1 to 1; 0 for words without a mood, None for no words and for a language without a lexicon.

    `language` is BCP 47, of which the primary subtag counts.
    """
    lexicon = _lexicons().get(language.partition("-")[0].lower())
    words = _WORD.findall(text.casefold().replace(_APOSTROPHE, "'"))[:_MOST_WORDS]
    if lexicon is None or all(word in _BREAKS for word in words):
        return None
    total = sum(_weights(words, lexicon))
    return float(total / (total * total + _SPREAD) ** 0.5)


def languages() -> frozenset[str]:
    """Those that have a lexicon."""
    return frozenset(_lexicons())


def _weights(words: list[str], lexicon: _Lexicon) -> list[float]:
    weights: list[float] = []
    position, negated_until, factor = 0, -1, 1.0
    while position < len(words):
        phrase, length = _longest(words, position, lexicon)
        if phrase in _BREAKS:
            factor, negated_until = 1.0, -1
        elif phrase in lexicon.words:
            weight = lexicon.words[phrase] * factor
            weights.append(weight * _TURNED_ROUND if position <= negated_until else weight)
            factor, negated_until = 1.0, -1
        elif phrase in lexicon.negators:
            negated_until = position + _NEGATION_REACHES
        elif phrase in lexicon.strong:
            factor *= _STRONGER
        elif phrase in lexicon.weak:
            factor *= _WEAKER
        else:
            factor = 1.0
        position += length
    return weights


def _longest(words: list[str], position: int, lexicon: _Lexicon) -> tuple[str, int]:
    """The longest phrase of the lexicon that begins here, else the word itself; and how many words it has."""
    for length in range(min(_LONGEST_PHRASE, len(words) - position), 1, -1):
        phrase = " ".join(words[position : position + length])
        if phrase in lexicon.words or phrase in lexicon.weak:
            return phrase, length
    return words[position], 1


@cache
def _lexicons() -> Mapping[str, _Lexicon]:
    return {language: _lexicon(told) for language, told in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()}


def _lexicon(told: Mapping[str, object]) -> _Lexicon:
    listed = msgspec.convert(told, _Listed)
    words = {word.casefold(): float(weight) for weight, many in listed.words.items() for word in many}
    return _Lexicon(frozenset(listed.negators), frozenset(listed.strong), frozenset(listed.weak), words)


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    """A language as the file has it."""

    negators: list[str]
    strong: list[str]
    weak: list[str]
    words: dict[int, list[str]]
