"""Where in a file what is found is written."""

from collections.abc import Iterable, Mapping

import msgspec

from scriza.ports.playbook_findings import Finding, Place

MOST_FINDINGS = 500
"""Nobody reads more at once."""
_GRAVITY = ("error", "warning", "note")


def nearest(places: Mapping[str, Place], pointer: str) -> Place | None:
    """The place of what is pointed at, or of the closest part around it that has one."""
    while pointer not in places:
        if not pointer:
            return None
        pointer = pointer.rpartition("/")[0]
    return places[pointer]


def placed(findings: Iterable[Finding], places: Mapping[str, Place], file: str) -> list[Finding]:
    """The findings with file, line and column, in the order in which they stand there."""
    found = [_placed(finding, places, file) for finding in findings]
    if len(found) > MOST_FINDINGS:
        found.sort(key=lambda finding: _GRAVITY.index(finding.level))
        message = f"{len(found) - MOST_FINDINGS} more findings are not told"
        more = Finding("note", "more-findings", message, fix="mend these first", file=file)
        found = [*found[:MOST_FINDINGS], more]
    return sorted(found, key=lambda finding: (finding.line, finding.column))


def _placed(finding: Finding, places: Mapping[str, Place], file: str) -> Finding:
    place = None if finding.line else nearest(places, finding.pointer)
    if place is None:
        return msgspec.structs.replace(finding, file=file)
    return msgspec.structs.replace(finding, file=file, line=place.line, column=place.column)
