"""What there is to say about a playbook that has the right shape: how it will sound, and whether it fits together."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date

from scriza.modules.strategy.lint.meaning import meaning
from scriza.modules.strategy.lint.references import references
from scriza.modules.strategy.lint.rules import rules
from scriza.modules.strategy.lint.speech import speech
from scriza.modules.strategy.lint.stages import stages
from scriza.modules.strategy.lint.tools import tools
from scriza.modules.strategy.lint.variables import variables
from scriza.modules.strategy.places import placed
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Finding, Place

_CHECKS: list[Callable[[Playbook], Iterator[Finding]]] = [references, tools, variables, stages, speech, meaning]


def lint(
    playbook: Playbook, places: Mapping[str, Place] | None = None, *, today: date, file: str = ""
) -> list[Finding]:
    """Everything that was found, in the order in which it stands in the file.

    `places` are those of the draft that the playbook is from, whose records stand in the order of the file; without
    them there are pointers alone. `today` tells which FAQs have expired.
    """
    found = [finding for check in _CHECKS for finding in check(playbook)]
    found += rules(playbook, today)
    return placed(found, places or {}, file)
