"""From what somebody has written to a playbook in the form that is kept, and what there is to say about it."""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from scriza.kernel.errors import BadInput, TooLarge
from scriza.modules.strategy.ingest import ingest, kind_of
from scriza.modules.strategy.ingest.onto import put_onto
from scriza.modules.strategy.ingest.tree import MOST_BYTES
from scriza.modules.strategy.lint import lint
from scriza.modules.strategy.normalise import normalise
from scriza.modules.strategy.reading import examined
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Draft, Finding, SourceKind
from scriza.ports.strategy import Source

_MOST_KEPT = 2 * MOST_BYTES
_TOLD = 10
"""Findings that a refusal repeats; `lint` tells all."""
_GRAVEST_FIRST = {"error": 0, "warning": 1, "note": 2}


class Checked(msgspec.Struct, frozen=True):
    """A playbook in the form that is kept, and what there is to say about it; none where it is not one."""

    playbook: Playbook | None
    findings: list[Finding]

    @property
    def errors(self) -> int:
        """How many findings keep it from being published."""
        return sum(finding.level == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings will be heard, or missed, in calls."""
        return sum(finding.level == "warning" for finding in self.findings)

    def sorted(self) -> list[Finding]:
        """The findings, the gravest first."""
        return sorted(self.findings, key=lambda finding: _GRAVEST_FIRST[finding.level])


def fits(document: Mapping[str, object] | Playbook) -> None:
    """Raises TooLarge for a document that grew beyond what is kept, by edits, merges or a bundle."""
    size = len(msgspec.json.encode(document))
    if size > _MOST_KEPT:
        raise TooLarge(f"a playbook has at most {_MOST_KEPT} bytes of JSON, this one has {size}")


def checked(document: Mapping[str, object] | Playbook, today: date) -> Checked:
    """The document in the form that is kept; `today` tells what has expired."""
    normal = normalise(document)
    found = lint(normal.playbook, today=today) if normal.playbook else []
    return Checked(normal.playbook, [*normal.findings, *found])


def read(source: Source, base: Playbook | None, today: date, *, slug: str = "") -> Checked:
    """What a source is, under another slug if one is named; CSV is put onto `base`. Raises BadInput, TooLarge."""
    kind = _kind(source)
    draft = ingest(written_in(source), kind, name=source.name)
    if kind != "csv":
        return kept(draft, today, name=source.name, slug=slug)
    if any(finding.level == "error" for finding in draft.findings):
        return Checked(None, draft.findings)
    if base is None:
        raise BadInput("CSV is a part of a playbook: name the `slug` of the one that it belongs to")
    found = checked(put_onto(base, draft), today)
    return Checked(found.playbook, [*draft.findings, *found.findings])


def kept(draft: Draft, today: date, *, name: str = "", slug: str = "") -> Checked:
    """A draft in the form that is kept, with where in the file everything stands that there is to say."""
    if slug:
        draft = msgspec.structs.replace(draft, document={**draft.document, "slug": slug})
    reading = examined(draft, today=today, name=name)
    return Checked(reading.playbook, reading.findings)


def has_text(source: Source) -> bool:
    """Whether anything was written."""
    return bool(source.text.strip() or source.file.strip())


def refusal(findings: Iterable[Finding]) -> BadInput:
    """What is told of a source that is no playbook: the first errors, each with its place and a fix."""
    errors = [finding for finding in findings if finding.level == "error"]
    told = [_told(finding) for finding in errors[:_TOLD]]
    more = [f"and {len(errors) - _TOLD} more; lint tells all of them"] if len(errors) > _TOLD else []
    return BadInput("\n".join([*told, *more]) or "this is no playbook", reason="not-a-playbook")


def _told(finding: Finding) -> str:
    place = ":".join(filter(None, (finding.file, str(finding.line or ""), str(finding.column or ""))))
    where = " ".join(filter(None, (place, finding.pointer)))
    fix = f" ({finding.fix})" if finding.fix else ""
    return f"{where}: {finding.message}{fix}" if where else f"{finding.message}{fix}"


def written_in(source: Source) -> bytes:
    """What was written, as it came."""
    return source.file or source.text.encode()


def _kind(source: Source) -> SourceKind:
    if source.kind and source.kind != "text":
        return source.kind
    if named := kind_of(source.name):
        return named
    beginning = written_in(source)[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if beginning.startswith(b"{"):
        return "json"
    return "markdown" if beginning.startswith((b"---", b"#")) else "yaml"
