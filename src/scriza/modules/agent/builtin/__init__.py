"""What is the same in all conversations of a language: what callers say, and what is said to it."""

from functools import lru_cache
from importlib import resources

import msgspec
import yaml

from scriza.ports.playbook import Intent


class DisclosureWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What tells callers that no person speaks, or that the call is recorded; and words that show it was said."""

    ai: str = ""
    recording: str = ""
    ai_words: list[str] = []
    recording_words: list[str] = []


class BuiltIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The agent's own stock of a language."""

    intents: list[Intent] = []
    noted: list[str] = []
    """Said to an answer that was understood, before the next question."""
    wind_up: list[str] = []
    """Said when a part of the conversation has gone on for as long as it may."""
    fillers: list[str] = []
    """Said while a tool runs."""
    disclosure: DisclosureWords = DisclosureWords()


_FULLEST = "en"


@lru_cache(maxsize=64)
def built_in(language: str) -> BuiltIn:
    """The stock of a language, ISO 639.

    For a language that there is none for, the same intents are understood in English, which many callers mix in, and
    the agent has no words of its own: the playbook's are said.
    """
    file = resources.files(__package__).joinpath(f"{language}.yaml")
    if language.isalpha() and file.is_file():
        return msgspec.convert(yaml.safe_load(file.read_text("utf-8")), BuiltIn)
    return BuiltIn(intents=[_without_words(intent) for intent in built_in(_FULLEST).intents])


def _without_words(intent: Intent) -> Intent:
    return msgspec.structs.replace(intent, answer=msgspec.structs.replace(intent.answer, say=[]))
