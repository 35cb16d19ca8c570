"""A source on its whole way: read, typed, normalised and linted, with everything there is to say about it."""

from datetime import date

import msgspec

from scriza.modules.strategy.ingest import ingest
from scriza.modules.strategy.lint import lint
from scriza.modules.strategy.normalise import normalise
from scriza.modules.strategy.places import placed
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Draft, Finding, SourceKind


class Reading(msgspec.Struct, frozen=True):
    """What came of a source."""

    draft: Draft
    playbook: Playbook | None
    """Normalised, as it is kept; absent when there are errors in the document's shape, and for a part such as CSV."""
    findings: list[Finding]
    """Of all steps, in the order of the file."""

    @property
    def sound(self) -> bool:
        """Whether it may be saved: no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)


def read(source: bytes, kind: SourceKind, *, today: date, name: str = "") -> Reading:
    """Read a source. Raises TooLarge; whatever else is wrong is among the findings."""
    return examined(ingest(source, kind, name=name), today=today, name=name)


def examined(draft: Draft, *, today: date, name: str = "") -> Reading:
    """A draft, normalised and linted. Lint sees it in the order of its file, so that its places are right."""
    if draft.playbook is None:
        return Reading(draft, None, draft.findings)
    normalised = normalise(draft.document)
    linted = lint(draft.playbook, draft.places, today=today, file=name)
    findings = [*draft.findings, *placed(normalised.findings, draft.places, name), *linted]
    return Reading(draft, normalised.playbook, sorted(findings, key=lambda found: (found.line, found.column)))
