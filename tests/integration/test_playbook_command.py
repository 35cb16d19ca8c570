"""``scriza playbook lint`` says what is wrong with files, without a server."""

import json
from pathlib import Path

import pytest

from scriza.cli import main
from scriza.ports.playbook_findings import Finding

SAMPLES = Path(__file__).parents[2] / "src" / "scriza" / "modules" / "strategy" / "samples"

BROKEN = """\
titel: Tiny
locale: en-US
goal: Be there
persona: {name: Ada}
opening: {inbound: "See https://example.com.", fallback: Goodbye.}
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(BROKEN)
    return file


def test_what_ships_passes(capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(str(path) for path in SAMPLES.glob("*.yaml"))
    assert len(files) == 3
    assert main(["playbook", "lint", *files]) == 0
    assert "3 files: 0 errors" in capsys.readouterr().err


def test_an_error_is_told_with_file_line_pointer_and_fix(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "lint", str(broken)]) == 1
    line = next(line for line in capsys.readouterr().out.split("\n") if "unknown-field" in line)
    assert line == (
        f"{broken}:1: error unknown-field /titel: there is no field 'titel' here. Fix: did you mean 'title'?"
    )


def test_a_warning_alone_is_no_failure(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken.write_text(BROKEN.replace("titel", "title"))
    assert main(["playbook", "lint", str(broken)]) == 0
    assert f"{broken}:5: warning url /opening/inbound: " in capsys.readouterr().out


def test_findings_come_as_json_too(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "lint", "--json", str(broken)]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert {finding["code"] for finding in findings} >= {"unknown-field", "missing-closing"}
    assert all(finding.keys() <= set(Finding.__struct_fields__) for finding in findings)


def test_a_file_that_is_too_large_is_an_error_of_that_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 10_000_000)
    assert main(["playbook", "lint", str(large)]) == 1
    assert f"{large}: error too-large: " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["missing.yaml", "script.txt"])
def test_what_is_no_file_of_a_playbook_is_told_in_a_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["playbook", "lint", str(tmp_path / name)]) == 2
    assert name in capsys.readouterr().err
