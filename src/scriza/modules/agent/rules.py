"""The playbook's guardrails, compiled: what breaks them, keeps them or sets them off. Pure."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from scriza.ports.playbook import Guardrail

_SPACE = re.compile(r"\s+")


class Rule(msgspec.Struct, frozen=True, eq=False):
    """A guardrail with its patterns as one expression; one without patterns is for the model to keep."""

    id: str
    kind: str
    rule: str
    found: re.Pattern[str] | None


class Rules:
    """All guardrails of a playbook, in their order."""

    def __init__(self, guardrails: Iterable[Guardrail]) -> None:
        self.all = [Rule(each.id, each.kind, each.rule, _expression(each.patterns)) for each in guardrails]

    def redirecting(self, utterance: str) -> Rule | None:
        """The rule that the caller's words set off."""
        return self._first("redirect", utterance)

    def broken_by(self, sentence: str) -> Rule | None:
        """The rule that forbids the sentence."""
        return self._first("forbid", sentence)

    def unkept(self, said: str) -> list[Rule]:
        """The rules that want something said which is not in what was said so far."""
        return [rule for rule in self.all if rule.kind == "require" and rule.found and not rule.found.search(said)]

    @property
    def forbid(self) -> bool:
        """Whether sentences have to be looked at before they are spoken."""
        return any(rule.kind == "forbid" and rule.found for rule in self.all)

    def _first(self, kind: str, text: str) -> Rule | None:
        return next((rule for rule in self.all if rule.kind == kind and rule.found and rule.found.search(text)), None)


def _expression(patterns: Sequence[str]) -> re.Pattern[str] | None:
    """Whole words without regard to case, with any space between them; ``*`` is any ending of a word."""
    written = [_word_by_word(pattern) for pattern in patterns if pattern.strip(" *")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(written)})(?!\w)", re.IGNORECASE) if written else None


def _word_by_word(pattern: str) -> str:
    parts = (re.escape(word).replace(r"\*", r"\w*") for word in _SPACE.split(pattern.strip()))
    return r"[\s,-]+".join(parts)
