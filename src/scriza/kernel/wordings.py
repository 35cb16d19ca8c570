"""Patterns of words, as people write them who know no regular expressions."""

import re
from collections.abc import Iterable


def wording(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for all the patterns; none when there is no word in them.

    They find whole words without regard to case, with any space, commas or hyphens between them; ``*`` is any ending of
    a word.

    >>> wording(["money back", "guarantee*"]).search("Your Money-back guaranteed.")[0]
    'Money-back'
    """
    written = [_word_by_word(pattern) for pattern in patterns if pattern.strip(" *")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(written)})(?!\w)", re.IGNORECASE) if written else None


def _word_by_word(pattern: str) -> str:
    return r"[\s,-]+".join(re.escape(word).replace(r"\*", r"\w*") for word in pattern.split())
