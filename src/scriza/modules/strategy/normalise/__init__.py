"""One form for what means the same, however it was written and however often this is done."""

from collections.abc import Mapping

import msgspec

from scriza.modules.strategy.canonical import without_defaults
from scriza.modules.strategy.normalise.arranging import arranged
from scriza.modules.strategy.normalise.faqs import merged_faqs
from scriza.modules.strategy.normalise.tidy import tidied
from scriza.modules.strategy.typed import typed
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Finding


class Normalised(msgspec.Struct, frozen=True):
    """A playbook in the form that is kept; absent when the findings have errors of its shape."""

    playbook: Playbook | None
    findings: list[Finding] = []


def normalise(document: Mapping[str, object] | Playbook) -> Normalised:
    """The playbook that a document is, in the form that is kept; a second time changes nothing.

    Texts are trimmed and in NFC; ids, languages, phone numbers, amounts and placeholders are in their one form; every
    record has an id that no other of its list has; FAQs that ask the same are one; sets are sorted and stages are not;
    what equals a default is left out.
    """
    written = msgspec.to_builtins(document) if isinstance(document, Playbook) else document
    tidy, findings = tidied(written)
    playbook, problems = typed(tidy)
    findings += problems
    if playbook is None:
        return Normalised(None, findings)
    playbook, merges = merged_faqs(arranged(playbook))
    return Normalised(without_defaults(playbook), findings + merges)
