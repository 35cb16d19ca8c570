"""``scriza playbook``: playbooks as files."""

import argparse
import sys
from datetime import date
from pathlib import Path

import msgspec

from scriza.kernel.errors import BadInput, TooLarge
from scriza.modules.strategy.ingest import kind_of
from scriza.modules.strategy.reading import read
from scriza.ports.playbook_findings import Finding

HAS_ERRORS = 1
"""Exit code of a file that cannot be saved as it is."""


def run(told: argparse.Namespace) -> int:
    """Do what was asked for. Raises BadInput for a file that cannot be read, and what a Scriza raises that is asked."""
    if told.act == "lint":
        return _lint(told)
    from scriza.cli import playbook_versions  # takes a while to import

    return playbook_versions.run(told)


def _lint(told: argparse.Namespace) -> int:
    """Say everything there is to say about the files; it needs no server."""
    findings = [finding for name in told.files for finding in _findings(name)]
    errors = sum(finding.level == "error" for finding in findings)
    if told.json:
        print(msgspec.json.format(msgspec.json.encode(findings)).decode())
    else:
        for finding in findings:
            print(line_of(finding))
        warnings = sum(finding.level == "warning" for finding in findings)
        files = f"{len(told.files)} file{'' if len(told.files) == 1 else 's'}"
        print(f"{files}: {_count(errors, 'error')}, {_count(warnings, 'warning')}", file=sys.stderr)
    return HAS_ERRORS if errors else 0


def line_of(finding: Finding) -> str:
    """A finding as compilers write it, so that editors find the place."""
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    pointer = f" {finding.pointer}" if finding.pointer else ""
    fix = f" Fix: {finding.fix}{'' if finding.fix.endswith('?') else '.'}" if finding.fix else ""
    return f"{place}: {finding.level} {finding.code}{pointer}: {finding.message}.{fix}"


def _findings(name: str) -> list[Finding]:
    kind = kind_of(name)
    if kind is None:
        raise BadInput(f"{name}: a playbook is a file that ends in .yaml, .json, .md or .csv")
    try:
        return read(Path(name).read_bytes(), kind, today=date.today(), name=name).findings
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None
    except TooLarge as error:
        return [Finding("error", "too-large", error.detail, fix="keep one playbook a file", file=name)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
