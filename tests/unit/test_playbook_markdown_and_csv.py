"""A sales lead's Markdown and spreadsheets become a playbook, and what is not understood is told."""

from typing import Any

import pytest

from scriza.modules.strategy.ingest import ingest
from scriza.modules.strategy.ingest.onto import put_onto
from scriza.modules.strategy.normalise import normalise
from scriza.ports.playbook_findings import Draft
from tests.playbooks import PAPER_KITE

MARKDOWN = """\
---
locale: en-US
persona: {name: Asha, company: Blue Kite}
x-crm: deal-board
---
# Blue Kite demo calls

We sell kites to schools.

## Goal
Book a visit.
- Success: visit booked
- Disqualify: no school, do not call

## Opening
"Hi, this is Asha from Blue Kite. How can I help?"
- Outbound: Hi, this is **Asha** at [Blue Kite](https://example.com). Do you have a minute?

## Stages

### Greeting
Find out who is calling.

- May I ask which school you are with?
- Exits:
  - on yes -> Pitch
  - filled school -> Pitch
  - after 3 turns → Pitch
  - when they want to stop -> Bye

### Pitch
Say what kites do for a school.

Keep it to one sentence.

- Answers:
  - yes: Great, which day suits you? -> Bye
- Next: Bye

### Bye
- Goal: End it well
- Final: yes

## Objection handling

### Too expensive
Triggers: expensive, too much, budget
> It pays for itself within a term.

- We can split the invoice over the year.
- Proof:
  - Forty schools renewed last year

## FAQ

### How much is it?
Ninety dollars a class.

**Q:** Do you ship?
**A:** We do, within the country.

- Is it safe? Yes, it has no sharp parts.

## Facts
- Each kite lasts three years.

## Pricing
| Plan | Price | Per |
|------|-------|-----|
| Class | $90 | once |

- School: 1,290.00 USD a year, with training

## Variables
- school: which one they are with

## Rules
- Never promise a delivery day
  - Patterns: by monday, guaranteed delivery
  - Instead: I will ask about the day.

## Voicemail
Hi, this is Asha from Blue Kite. I will call again.

## Closing
- Goodbye: Thank you, goodbye!
- Not interested: All right, thank you for your time.
- Success: See you then.
"""


def markdown(source: str) -> Draft:
    return ingest(source.encode(), "markdown", name="kite.md")


def csv(source: str) -> Draft:
    return ingest(source.encode(), "csv", name="faqs.csv")


def told(draft: Draft) -> list[tuple[int, str, str]]:
    return [(finding.line, finding.level, finding.code) for finding in draft.findings]


def test_headings_and_bullets_become_a_whole_playbook() -> None:
    draft = markdown(MARKDOWN)
    playbook = draft.playbook
    assert playbook is not None, draft.findings
    assert (playbook.title, playbook.slug) == ("Blue Kite demo calls", "blue-kite-demo-calls")
    assert playbook.description == "We sell kites to schools."
    assert playbook.ext == {"x-crm": "deal-board"}
    assert playbook.goal.success == ["visit_booked"]
    assert playbook.opening.inbound == "Hi, this is Asha from Blue Kite. How can I help?"
    assert playbook.opening.outbound == "Hi, this is Asha at Blue Kite. Do you have a minute?"
    greeting, pitch, bye = playbook.stages
    assert greeting.goal == "Find out who is calling."
    assert greeting.ask[0].question == ["May I ask which school you are with?"]
    ways = [(way.on, way.filled, way.after_turns, way.when, way.to) for way in greeting.exits]
    assert ways == [
        ("yes", [], 0, "", "pitch"),
        ("", ["school"], 0, "", "pitch"),
        ("", [], 3, "", "pitch"),
        ("", [], 0, "they want to stop", "bye"),
    ]
    assert (pitch.prompt, pitch.next, pitch.answers["yes"].to) == ("Keep it to one sentence.", "bye", "bye")
    assert pitch.answers["yes"].say == ["Great, which day suits you?"]
    assert bye.final
    (objection,) = playbook.objections
    assert objection.triggers == ["expensive", "too much", "budget"]
    assert objection.response == ["It pays for itself within a term.", "We can split the invoice over the year."]
    assert objection.proof == ["Forty schools renewed last year"]
    assert [(faq.q, faq.a) for faq in playbook.faqs] == [
        (["How much is it?"], ["Ninety dollars a class."]),
        (["Do you ship?"], ["We do, within the country."]),
        (["Is it safe?"], ["Yes, it has no sharp parts."]),
    ]
    prices = [
        (price.plan, price.amount_minor, price.currency, price.per, price.conditions) for price in playbook.pricing
    ]
    assert prices == [("School", 129000, "USD", "year", "with training"), ("Class", 9000, "USD", "once", "")]
    assert playbook.guardrails[0].instead == ["I will ask about the day."]
    assert playbook.closing.success == ["See you then."]
    assert playbook.closing.no_interest == ["All right, thank you for your time."]
    assert {finding.code for finding in draft.findings} == {"filled-in", "slug-derived"}


def test_findings_in_markdown_name_the_line() -> None:
    source = MARKDOWN.replace("- Final: yes", "- Final: perhaps\n- Max turns: many").replace("$90", "ninety")
    lines = source.split("\n")
    found = {(f.code, f.pointer): lines[f.line - 1] for f in markdown(source).findings if f.level == "error"}
    assert found["wrong-type", "/stages/2/final"] == "- Final: perhaps"
    assert found["wrong-type", "/stages/2/max_turns"] == "- Max turns: many"
    assert "ninety" in found["amount", "/pricing/1/amount"]


def test_front_matter_that_is_not_yaml_is_told_with_its_line_in_the_file() -> None:
    draft = markdown(MARKDOWN.replace("locale: en-US", "locale: en: US"))
    assert told(draft) == [(2, "error", "yaml-syntax")]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("## Objektions\n- x\n", "did you mean `Objections`?"),
        ("## Weather\nSunny.\n", "headings that are known"),
        ("## Persona\nHello there\nmore words\n\n```\ncode\n```\n", "plain text"),
        ("## Goal\n### Deadline\nSoon.\n", "the fields here are"),
        ("## FAQs\n| Question | Answer | Mood |\n|---|---|---|\n| Why? | So. | good |\n", "the fields here are"),
        ("## Stages\n### X\nGoal it.\n- Exits:\n  - somewhere\n", "on price -> pricing"),
        ("## Opening\nHello.\n\nAnd more.\n", "the fields here are"),
    ],
)
def test_what_is_not_understood_is_told_with_what_would_be(more: str, said: str) -> None:
    found = [
        finding
        for finding in markdown(f"# Tiny\n## Facts\n- One.\n{more}").findings
        if finding.code == "not-understood"
    ]
    assert any(said in finding.fix for finding in found)
    assert all(finding.line for finding in found)


@pytest.mark.parametrize(
    "source", ["Just a text about us, with nothing to hold on to.", "# Only a title\n\nWords.", "* a\n* b"]
)
def test_markdown_with_no_structure_is_refused_and_free_text_is_offered(source: str) -> None:
    draft = markdown(source)
    assert told(draft) == [(1, "error", "no-structure")]
    assert "free text" in draft.findings[0].fix


def test_what_stands_in_the_front_matter_goes_before_the_text() -> None:
    draft = markdown("---\ntitle: Front\nfacts: [First.]\n---\n# Behind\n\n## Facts\n- Second.\n")
    assert draft.document["title"] == "Front"
    facts = draft.document["facts"]
    assert isinstance(facts, list)
    assert [fact["text"] for fact in facts] == ["First.", "Second."]
    assert (5, "warning", "not-understood") in told(draft)


# ---- CSV ----


def test_a_csv_of_faqs_is_a_part_of_a_playbook() -> None:
    names = "Question,Answer,Answer 2,Triggers,Mood"
    draft = csv(f'{names}\n"How much?","Ninety, a class.",Not much.,cost; price,good\n\nSafe?,Yes.\n')
    assert draft.playbook is None
    assert draft.document == {
        "faqs": [
            {
                "id": "how-much",
                "q": ["How much?"],
                "a": ["Ninety, a class.", "Not much."],
                "triggers": ["cost", "price"],
            },
            {"id": "safe", "q": ["Safe?"], "a": ["Yes."]},
        ]
    }
    assert told(draft) == [(1, "warning", "not-understood")]
    assert draft.places["/faqs/1"].line == 4


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_of_objections_may_be_parted_by_other_signs(delimiter: str) -> None:
    draft = csv(f"objection{delimiter}response{delimiter}max_uses\nToo dear{delimiter}I see.{delimiter}2\n")
    assert draft.document == {
        "objections": [{"id": "too-dear", "title": "Too dear", "response": ["I see."], "max_uses": 2}]
    }
    assert draft.findings == []


@pytest.mark.parametrize(
    ("source", "line", "code"),
    [
        ("", 1, "empty"),
        ("question,answer\n", 1, "empty"),
        ("name,age\nAda,7\n", 1, "no-columns"),
        ("How much?,Ninety.\n", 1, "no-columns"),
        ('question,answer\n"How much?,Ninety.\n', 2, "csv-syntax"),
        ("question,answer\nHow much?,Ninety, a class.\n", 2, "too-many-cells"),
        ("question,answer\nHow much?,\n", 2, "missing-field"),
        ("question,answer\n,Ninety.\n", 2, "missing-field"),
        ("objection,response,max_uses\nDear,So.,lots\n", 2, "wrong-type"),
        ("question,answer,valid until\nHow?,So.,31/12/2026\n", 2, "wrong-form"),
    ],
)
def test_a_csv_that_cannot_be_read_is_told_by_its_line(source: str, line: int, code: str) -> None:
    assert (line, "error", code) in told(csv(source))


def test_a_csv_is_put_onto_a_playbook_by_id_and_by_question() -> None:
    known = PAPER_KITE.faqs[0]
    source = f'question,answer\n"{known.q[0].upper()}",A new answer.\nWhere are you?,In town.\n'
    document: dict[str, Any] = put_onto(PAPER_KITE, csv(source))
    merged = normalise(document).playbook
    assert merged is not None
    by_id = {faq.id: faq for faq in merged.faqs}
    assert len(by_id) == len(PAPER_KITE.faqs) + 1
    assert by_id[known.id].a == ["A new answer."]
    assert by_id[known.id].triggers == sorted(set(known.triggers))
    assert by_id["where-are-you"].a == ["In town."]
    assert merged.objections == normalise(PAPER_KITE).playbook.objections  # type: ignore[union-attr]
