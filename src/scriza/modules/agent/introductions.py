"""Callers who say their name beside something else. Pure, and English: in other languages they have to be asked."""

import re

_INTRODUCTION = re.compile(
    r"\bmy name(?:'s| is)\s+(\S.*)|\bthis is\s+((?:\S+\s+){1,3}?)(?:speaking|calling|here)\b", re.IGNORECASE
)
_NAME_WORDS = 3
_NO_NAMES = frozenset("not on in the a an no none my your his her our nothing nobody what".split())
_AFTER_NAMES = frozenset(
    "and but from i i'm i'd i've im we with at by calling speaking here for the a an so because please can could who "
    "is was about".split()
)
_NAME_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def introduced(utterance: str) -> dict[str, str]:
    """What somebody who says their name has told, by the names that such variables have; nothing otherwise.

    >>> introduced("hi my name is ada lovelace and i have a toothache")
    {'first_name': 'Ada', 'name': 'Ada Lovelace', 'full_name': 'Ada Lovelace'}
    """
    found = _INTRODUCTION.search(utterance)
    said = _leading(found[1] or found[2], _NAME_WORDS) if found else []
    if not said or said[0].casefold() in _NO_NAMES:
        return {}
    whole = " ".join(word if word[0].isupper() else word.capitalize() for word in said)
    return {"first_name": whole.partition(" ")[0], "name": whole, "full_name": whole}


def _leading(text: str, most: int) -> list[str]:
    """The first words of a text, up to one that no name goes on with, or a mark."""
    leading: list[str] = []
    for written in text.split()[:most]:
        word = written.strip(".,!?")
        if not _NAME_WORD.fullmatch(word) or word.casefold() in _AFTER_NAMES:
            break
        leading.append(word)
        if written != word:
            break
    return leading
