"""Patterns of words, as people write them who know no regular expressions."""

import re
from collections.abc import Iterable


def wording(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for all the patterns; none when there is no word in them.

    They find whole words without regard to case, with any space, commas or hyphens between them; ``*`` behind a word is
    any ending of it, and alone it is any word. Within a word it is a star: several gaps in one could be filled in more
    ways than can be tried.

    >>> wording(["money back", "guarantee*"]).search("Your Money-back guaranteed.")[0]
    'Money-back'
    """
    written = [_word_by_word(pattern) for pattern in patterns if pattern.strip(" *")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(written)})(?!\w)", re.IGNORECASE) if written else None


def _word_by_word(pattern: str) -> str:
    return r"[\s,-]+".join(map(_with_ending, pattern.split()))


def _with_ending(word: str) -> str:
    stem = word.rstrip("*")
    if stem == word:
        return re.escape(word)
    return re.escape(stem) + (r"\w*" if stem else r"\w+")
