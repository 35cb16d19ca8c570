"""Sources of playbooks: their bytes in, a draft out, with everything that is to be said about it at once."""

from collections.abc import Callable, Mapping

from scriza.modules.strategy.ingest.csv_source import read_csv
from scriza.modules.strategy.ingest.house_lines import completed
from scriza.modules.strategy.ingest.json_source import read_json
from scriza.modules.strategy.ingest.markdown_source import read_markdown
from scriza.modules.strategy.ingest.source_text import source_text
from scriza.modules.strategy.ingest.tree import Tree, Unreadable, bounded
from scriza.modules.strategy.ingest.yaml_source import read_yaml
from scriza.modules.strategy.normalise.tidy import tidied
from scriza.modules.strategy.places import placed
from scriza.modules.strategy.typed import typed
from scriza.ports.playbook_findings import Draft, SourceKind

_READERS: Mapping[SourceKind, Callable[[str], Tree]] = {
    "yaml": read_yaml,
    "json": read_json,
    "markdown": read_markdown,
    "csv": read_csv,
}
_ENDINGS: Mapping[str, SourceKind] = {
    "yaml": "yaml",
    "yml": "yaml",
    "json": "json",
    "md": "markdown",
    "markdown": "markdown",
    "csv": "csv",
    "tsv": "csv",
}


def kind_of(name: str) -> SourceKind | None:
    """What a file of that name is written in; none where that cannot be told."""
    return _ENDINGS.get(name.rpartition(".")[2].lower())


def ingest(source: bytes, kind: SourceKind, *, name: str = "") -> Draft:
    """A draft of what is in a source, in up to a second for the longest ones; `name` is that of its file.

    It has a playbook unless there are errors. From CSV, which is a part of one, it never has: see `put_onto`. Raises
    TooLarge; whatever else is wrong with a source is an error among the findings.
    """
    try:
        tree = bounded(_READERS[kind](source_text(source)))
    except Unreadable as error:
        return Draft({}, placed([error.finding], {}, name))
    return drafted(tree, name, whole=kind != "csv")


def drafted(tree: Tree, name: str, *, whole: bool) -> Draft:
    """What was parsed, with the forms of its values made right and everything told that is wrong with it."""
    document, filled = completed(tree.document, name) if whole else (tree.document, [])
    document, respelt = tidied(document)
    playbook, problems = typed(document)
    if not whole:
        problems = [problem for problem in problems if problem.pointer or problem.code != "missing-field"]
    findings = placed([*tree.findings, *filled, *respelt, *problems], tree.places, name)
    broken = any(finding.level == "error" for finding in findings)
    return Draft(document, findings, None if broken else playbook, tree.places)
