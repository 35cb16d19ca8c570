"""What users are told of playbooks is all there is, and its examples are good ones."""

import re
from pathlib import Path

from scriza.modules.strategy import shape
from scriza.modules.strategy.ingest import ingest
from scriza.ports.playbook import Playbook

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "writing-playbooks.md").read_text("utf-8")
SOURCE = ROOT / "src" / "scriza" / "modules" / "strategy"
_CODE = re.compile(
    r'(?:tell|_tell|Finding|_warning|_error|Unreadable)\((?:\s*\*?\(?"(?:error|warning|note)",)?\s*"([a-z-]+)"'
)


def example(after: str) -> str:
    """The first indented block behind a line."""
    found = re.search(r"\n\n((?:    .*\n|\n)+)", PAGE[PAGE.index(after) :])
    assert found is not None
    return re.sub(r"(?m)^    ", "", found[1])


def test_every_part_of_a_playbook_is_told() -> None:
    assert [name for name in shape.fields(Playbook) if f"`{name}`" not in PAGE and name != "schema"] == []


def test_every_code_of_a_finding_is_told() -> None:
    read = [*(SOURCE / "ingest").glob("*.py"), *(SOURCE / "lint").glob("*.py"), *(SOURCE / "normalise").glob("*.py")]
    codes = {code for path in [*read, SOURCE / "typed.py"] for code in _CODE.findall(path.read_text())}
    codes -= {"error", "warning", "note"}  # of those whose code is put together
    assert len(codes) > 50
    assert sorted(code for code in codes if f"`{code}`" not in PAGE) == []


def test_the_shortest_example_is_a_playbook() -> None:
    draft = ingest(example("## The shortest one").encode(), "yaml")
    assert draft.playbook is not None, draft.findings


def test_the_example_in_markdown_is_understood_from_its_first_line_to_its_last() -> None:
    draft = ingest(example("## Markdown").encode(), "markdown")
    assert draft.playbook is not None, draft.findings
    assert "not-understood" not in {finding.code for finding in draft.findings}
    assert [len(records) for records in (draft.playbook.objections, draft.playbook.faqs, draft.playbook.pricing)] == [
        1,
        2,
        1,
    ]
