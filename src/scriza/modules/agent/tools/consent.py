"""Whether the caller has said yes. Pure: what a tool waits for is not left to a model's reading of the words."""

from collections.abc import Iterable, Sequence

from scriza.modules.agent.matching import words

_SHORT = 3
"""Words of a yes phrase that may stand at the end of a longer answer."""


def agrees(utterance: str, yes: Iterable[str], no: Iterable[str]) -> bool:
    """Whether the words begin or end with a way to say yes, and have no way to say no in them."""
    said = words(utterance)
    if not said or any(_within(words(phrase), said) for phrase in no):
        return False
    return any(_begins_or_ends(words(phrase), said) for phrase in yes)


def _begins_or_ends(phrase: Sequence[str], said: Sequence[str]) -> bool:
    size = len(phrase)
    if not size:
        return False
    return list(said[:size]) == list(phrase) or (size <= _SHORT and list(said[-size:]) == list(phrase))


def _within(phrase: Sequence[str], said: Sequence[str]) -> bool:
    size = len(phrase)
    return bool(size) and any(list(said[at : at + size]) == list(phrase) for at in range(len(said) - size + 1))
