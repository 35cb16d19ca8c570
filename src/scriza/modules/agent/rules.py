"""The playbook's guardrails, compiled: what breaks them, keeps them or sets them off. Pure."""

import re
from collections.abc import Iterable

import msgspec

from scriza.kernel.wordings import wording
from scriza.ports.playbook import Guardrail


class Rule(msgspec.Struct, frozen=True, eq=False):
    """A guardrail with its patterns as one expression; one without patterns is for the model to keep."""

    id: str
    kind: str
    rule: str
    found: re.Pattern[str] | None


class Rules:
    """All guardrails of a playbook, in their order."""

    def __init__(self, guardrails: Iterable[Guardrail]) -> None:
        self.all = [Rule(each.id, each.kind, each.rule, wording(each.patterns)) for each in guardrails]

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
