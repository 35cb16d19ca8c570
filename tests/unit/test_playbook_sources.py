"""Sources of playbooks, good and bad: what is wrong is told with line, pointer and fix, all of it at once."""

import json
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriza.kernel.errors import TooLarge
from scriza.modules.strategy.ingest import ingest, kind_of
from scriza.modules.strategy.normalise import normalise
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Draft, Finding, SourceKind
from tests.messy_playbooks import documents

YAML = """\
schema: scriza.playbook/1
slug: tiny
title: Tiny
locale: en-US
goal: Be there
persona: {name: Ada}
opening: {inbound: Hello., fallback: Goodbye.}
stages:
  - id: start
    goal: Be there.
transfer: {unavailable: Nobody is here.}
silence: Are you there?
closing: {goodbye: Goodbye.}
lines: {repair: Pardon., trouble: Sorry., resumed: Back., unknown: "What?"}
"""


def draft(source: str | bytes, kind: SourceKind = "yaml") -> Draft:
    return ingest(source.encode() if isinstance(source, str) else source, kind, name=f"tiny.{kind}")


def errors(source: str | bytes, kind: SourceKind = "yaml") -> list[Finding]:
    """The errors of a source, which then is no playbook."""
    found = draft(source, kind)
    assert found.playbook is None
    return [finding for finding in found.findings if finding.level == "error"]


def only_error(source: str | bytes, kind: SourceKind = "yaml") -> Finding:
    (finding,) = errors(source, kind)
    assert finding.file == f"tiny.{kind}"
    assert finding.fix
    return finding


def parsed(source: str) -> Playbook:
    found = draft(source).playbook
    assert found is not None
    return found


# ---- places ----


def test_a_good_source_is_a_playbook_without_findings() -> None:
    found = draft(YAML)
    assert found.findings == []
    assert found.playbook is not None
    assert found.playbook.stages[0].goal == "Be there."
    assert (found.places["/stages/0/goal"].line, found.places["/stages/0/goal"].column) == (10, 5)


def test_all_errors_are_told_at_once_with_line_pointer_and_fix() -> None:
    source = YAML.replace("title: Tiny", "titel: Tiny").replace(
        "    goal: Be there.", "    gaol: Be there.\n    keys: many"
    )
    assert [(f.line, f.code, f.pointer, f.fix) for f in errors(source)] == [
        (3, "unknown-field", "/titel", "did you mean 'title'?"),
        (9, "missing-field", "/stages/0", "add `goal:` here"),
        (10, "unknown-field", "/stages/0/gaol", "did you mean 'goal'?"),
        (11, "wrong-type", "/stages/0/keys", "write a whole number"),
    ]


def test_json_has_the_same_places_and_errors() -> None:
    document = yaml.safe_load(YAML) | {"facts": [{"id": "a", "txt": "A fact."}]}
    source = json.dumps(document, indent=1)
    told = {(f.code, f.pointer): f.line for f in errors(source, "json")}
    lines = source.split("\n")
    assert '"txt"' in lines[told["unknown-field", "/facts/0/txt"] - 1]
    assert ("missing-field", "/facts/0") in told


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(documents(), st.sampled_from([None, 1, 2]))
def test_json_and_yaml_say_the_same(document: dict[str, Any], indent: int | None) -> None:
    by_json = ingest(json.dumps(document, indent=indent).encode(), "json")
    by_yaml = ingest(yaml.safe_dump(document, allow_unicode=True, sort_keys=False).encode(), "yaml")
    assert by_json.document == by_yaml.document
    assert [f.pointer for f in by_json.findings] == [f.pointer for f in by_yaml.findings]
    assert all(finding.line for finding in by_json.findings)


# ---- YAML is read as 1.2 ----


def test_yes_no_and_on_are_words_and_days_are_texts() -> None:
    source = YAML.replace(
        "    goal: Be there.",
        "    goal: Be there.\n    answers: {yes: Good., no: Pity.}\n    exits: [{on: yes, to: start}]",
    )
    source += "faqs:\n  - {q: When?, a: Soon., valid_until: 2026-12-31}\n"
    stage = parsed(source).stages[0]
    assert sorted(stage.answers) == ["no", "yes"]
    assert stage.exits[0].on == "yes"
    assert parsed(source).faqs[0].valid_until == "2026-12-31"


def test_a_plain_number_may_stand_for_a_text_and_a_key_is_always_a_text() -> None:
    playbook = parsed(YAML.replace("{name: Ada}", "{name: 7, pronunciations: {24: twenty four}}"))
    assert playbook.persona.name == "7"
    assert playbook.persona.pronunciations == {"24": "twenty four"}


def test_an_alias_stands_for_what_it_names() -> None:
    source = YAML.replace("    goal: Be there.", "    goal: &goal Be there.\n    prompt: *goal")
    assert parsed(source).stages[0].prompt == "Be there."


def test_x_fields_are_kept_at_any_depth() -> None:
    playbook = parsed(YAML + "x-crm: {board: 7}\nfacts: [{text: A., x-owner: Mia}]\n")
    assert playbook.ext == {"x-crm": {"board": 7}}
    assert playbook.facts[0].ext == {"x-owner": "Mia"}


# ---- malformed YAML ----

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("source", "code", "line", "fix"),
    [
        ("", "empty", 1, "write a playbook"),
        ("# only a comment\n", "empty", 1, "write a playbook"),
        ("- a\n- b\n", "not-a-document", 1, "begin with"),
        ("just words\n", "not-a-document", 1, "begin with"),
        ("title: Tiny\npersona:\n\tname: Ada\n", "yaml-syntax", 3, "spaces: there is a tab"),
        ("title: a: b\n", "yaml-syntax", 1, "in quotes"),
        ("title: [a\n", "yaml-syntax", 2, "quotes and brackets"),
        ("stages:\n  - id: a\n   goal: b\n", "yaml-syntax", 3, "indentation"),
        ("title: @home\n", "yaml-syntax", 1, "in quotes"),
        ("a: &x 1\nb: *y\n", "yaml-alias", 2, "mark what is meant"),
        ("a: &x [*x]\n", "yaml-alias", 1, "write it out"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "yaml-merge", 2, "write the fields out"),
        ("a: !!python/object/apply:os.system [ls]\n", "yaml-tag", 1, "without a tag"),
        ("title: !secret x\n", "yaml-tag", 1, "without a tag"),
        ("title: !!binary aGVsbG8=\n", "yaml-tag", 1, "without a tag"),
        ("? [a, b]\n: c\n", "key-not-text", 1, "plain text"),
        ("a: 1\n---\nb: 2\n", "several-documents", 2, "one playbook a file"),
        ("model_policy: {temperature: .nan}\n", "not-a-number", 1, "write a number"),
        ("model_policy: {temperature: -.inf}\n", "not-a-number", 1, "write a number"),
        ("model_policy: {temperature: 1e999}\n", "not-a-number", 1, "smaller"),
        (f"model_policy: {{max_tokens: {'9' * 30}}}\n", "number-too-large", 1, "quotes"),
        (LAUGHS, "too-many-values", 5, "anchors"),
        (f"x-deep: {'[' * 5000}{']' * 5000}\n", "too-deep", 1, "nest less"),
        ("x-deep:\n" + "".join(f"{'  ' * n}- a:\n" for n in range(1, 60)), "too-deep", 22, "nest less"),
    ],
)
def test_malformed_yaml_is_refused_with_its_line_and_a_fix(source: str, code: str, line: int, fix: str) -> None:
    finding = only_error(source)
    assert (finding.code, finding.line) == (code, line)
    assert fix in finding.fix


def test_a_key_that_is_there_twice_is_an_error_and_the_rest_is_still_told() -> None:
    found = errors(YAML + "title: Again\nnonsense: 1\n")
    assert [(f.code, f.pointer, f.line) for f in found] == [
        ("duplicate-key", "/title", 15),
        ("unknown-field", "/nonsense", 16),
    ]
    assert "line 3" in found[0].message


# ---- malformed JSON ----


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("", "empty", 1),
        ("[]", "not-a-document", 1),
        ('{"a": 1,}', "json-syntax", 1),
        ('{"a": [1, 2}', "json-syntax", 1),
        ('{"a"\n 1}', "json-syntax", 2),
        ('{"a": 1} x', "json-syntax", 1),
        ("{'a': 1}", "json-syntax", 1),
        ('{"a":\n "b\nc"}', "json-syntax", 2),
        ('{"a": "\\ud83d"}', "json-syntax", 1),
        ('{"a": "never', "json-syntax", 1),
        ('{"a": tru}', "json-syntax", 1),
        ('{"a": NaN}', "not-a-number", 1),
        ('{"a": -Infinity}', "not-a-number", 1),
        ('{"a": 1e999}', "not-a-number", 1),
        (f'{{"a": {"1" * 400}}}', "number-too-large", 1),
        ('{"x-a": ' + "[" * 5000 + "]" * 5000 + "}", "too-deep", 1),
        ('{"x-a": [' + "1," * 100_001 + "1]}", "too-many-values", 1),
    ],
)
def test_malformed_json_is_refused_with_its_line_and_a_fix(source: str, code: str, line: int) -> None:
    finding = only_error(source, "json")
    assert (finding.code, finding.line) == (code, line)


def test_a_name_that_is_there_twice_in_json_is_an_error() -> None:
    found = errors('{"title": "A",\n "title": "B"}', "json")
    assert ("duplicate-key", "/title", 2) in [(f.code, f.pointer, f.line) for f in found]


# ---- bytes ----


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("kind", ["yaml", "json", "markdown", "csv"])
def test_unicode_is_read_in_whatever_encoding_says_so(encoding: str, kind: SourceKind) -> None:
    sources: dict[str, str] = {
        "yaml": YAML.replace("Ada", "Zoë"),
        "json": json.dumps(yaml.safe_load(YAML.replace("Ada", "Zoë")), ensure_ascii=False),
        "markdown": "# Tiny\n## Persona\n- Name: Zoë\n",
        "csv": "question,answer\nWho?,Zoë\n",
    }
    found = ingest(sources[kind].encode(encoding), kind)
    assert "Zoë" in json.dumps(found.document, ensure_ascii=False)


@pytest.mark.parametrize(
    ("source", "code", "line", "column", "said"),
    [
        (YAML.replace("Ada", "Zoë").encode("latin-1"), "encoding", 6, 19, "byte 96 (0xeb)"),
        (YAML.encode("utf-16-le"), "control-character", 1, 2, "U+0000"),
        (YAML.replace("Tiny", "Ti\x00ny").encode(), "control-character", 3, 10, "U+0000"),
        (YAML.replace("Tiny", "Ti\x1bny").encode(), "control-character", 3, 10, "U+001B"),
        (b"\xff\xfea", "encoding", 1, 1, "UTF-16"),
        (b"\x89PNG\r\n\x1a\n", "encoding", 1, 1, "0x89"),
    ],
)
def test_other_encodings_are_refused_with_the_byte_and_its_place(
    source: bytes, code: str, line: int, column: int, said: str
) -> None:
    finding = only_error(source)
    assert (finding.code, finding.line, finding.column) == (code, line, column)
    assert said in finding.message


@pytest.mark.parametrize("kind", ["yaml", "json", "markdown", "csv"])
def test_ten_megabytes_are_too_large_before_anything_is_read(kind: SourceKind) -> None:
    with pytest.raises(TooLarge, match="1000000 bytes"):
        ingest(b"a" * 10_000_000, kind)


@pytest.mark.parametrize("kind", ["yaml", "json", "markdown", "csv"])
@given(source=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_whatever_the_bytes_are_there_is_an_answer(kind: SourceKind, source: bytes) -> None:
    found = ingest(source, kind)
    assert found.playbook is None
    assert all(finding.fix for finding in found.findings if finding.level == "error")


SIGNS = list("\n\t{}[]|>#~1'\"")
SYNTAX = ["schema: ", "title: x", "  ", "- ", "&a ", "*a", ": ", "? ", "<<", "!!", "x-", "ext: ", "stages:", "id: "]
MARKS = ["|x|", "## FAQs\n", "### Why?\n", "Q: ", "A: ", "Exits: ", "-> ", "a,b", "question,answer\n", "---\n"]
SCRAPS = st.lists(st.sampled_from([*SIGNS, *SYNTAX, *MARKS]), max_size=30).map("".join)


@pytest.mark.parametrize("kind", ["yaml", "json", "markdown", "csv"])
@given(source=SCRAPS)
def test_scraps_of_every_language_have_an_answer_too(kind: SourceKind, source: str) -> None:
    found = ingest(source.encode(), kind)
    assert found.playbook is None
    assert normalise(found.document).playbook is None


# ---- bounds: nothing costs more than its length ----


@pytest.mark.parametrize(
    ("kind", "source", "code"),
    [
        ("yaml", YAML + f"description: '{'{' * 500_000}'\n", "too-long"),
        ("json", f'{{"{"k" * 100_000}": 1}}', "too-long"),
        ("yaml", YAML + "objections: [{title: A, response: B, triggers: [" + "t," * 2_001 + "]}]\n", "too-many-items"),
        ("json", "{" + ",".join(f'"k{n}": 1' for n in range(2_001)) + "}", "too-many-items"),
        ("markdown", "## Facts\n" + "- x\n" * 2_001, "too-many-items"),
        ("markdown", "## Facts\n" + "x\n" * 20_001, "too-many-lines"),
        ("markdown", "## Facts\n- " + "[" * 500_000, "too-long"),
        ("markdown", "## Voicemail\n" + "word word word\n" * 2_000, "too-long"),
        ("csv", "question,answer\n" + "a,b\n" * 2_001, "too-many-items"),
        ("csv", "question,answer\n" + "\n" * 500_000, "too-many-lines"),
        ("csv", "question,answer\n" + '"' * 500_000, "too-long"),
    ],
)
def test_lists_texts_and_lines_have_bounds(kind: SourceKind, source: str, code: str) -> None:
    finding = only_error(source, kind)
    assert finding.code == code
    assert finding.line


def test_so_many_findings_are_told_as_anybody_reads_and_errors_before_notes() -> None:
    facts = "".join(f"  - {{id: Fact {n}!, text: A., txt: B.}}\n" for n in range(600))
    found = draft(f"{YAML}facts:\n{facts}").findings
    assert len(found) == 501
    assert sum(finding.level == "error" for finding in found) == 500
    assert "100 more" in next(finding.message for finding in found if finding.code == "more-findings")


@pytest.mark.parametrize("comment", ["<!-- a comment -->", "<!-- over\ntwo lines -->", "<!-- one --> <!-- two -->"])
def test_comments_in_markdown_are_left_out_and_move_no_line(comment: str) -> None:
    found = draft(f"{comment}\n# Tiny\n## Facts\n- One.\n", "markdown")
    assert found.places["/facts/0"].line == 4 + comment.count("\n")


# ---- what is not said is filled in, and told ----


def test_polite_lines_are_put_in_where_they_lack_and_each_is_told() -> None:
    source = "\n".join(
        line
        for line in YAML.split("\n")
        if not line.startswith(("lines", "silence", "transfer", "closing", "schema", "slug"))
    )
    found = draft(source)
    assert found.playbook is not None
    assert found.playbook.slug == "tiny"
    told = {(f.level, f.code, f.pointer) for f in found.findings}
    assert ("warning", "missing-closing", "/closing/goodbye") in told
    assert ("note", "filled-in", "/lines/repair") in told
    assert ("note", "slug-derived", "/slug") in told
    assert len(told) == 8


def test_english_lines_are_not_put_into_a_playbook_of_another_language() -> None:
    source = YAML.replace("en-US", "de-DE").replace("closing: {goodbye: Goodbye.}\n", "")
    assert only_error(source).pointer == ""


def test_the_kind_of_a_file_is_told_by_its_ending() -> None:
    names = ["a.yaml", "a.YML", "a.json", "dir.x/a.md", "a.csv", "a.txt", "readme"]
    assert [kind_of(name) for name in names] == ["yaml", "yaml", "json", "markdown", "csv", None, None]


def test_a_draft_and_its_places_go_over_a_wire() -> None:
    sent = draft(YAML)
    assert msgspec.json.decode(msgspec.json.encode(sent), type=Draft) == sent
