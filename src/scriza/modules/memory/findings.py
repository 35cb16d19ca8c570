"""What a call came to, by rules: its summary, its fields with their evidence, and what it teaches of its caller. Pure.

What a model says of a call is checked here as well: only what the transcript supports is taken over.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from scriza.modules.memory.book import Findings
from scriza.modules.memory.callers import Lesson, known_id
from scriza.modules.memory.evidence import follows, quoted, typed, witness
from scriza.modules.memory.readings import numbers
from scriza.ports.agent import DO_NOT_CALL
from scriza.ports.memory import (
    Evidence,
    ExtractedField,
    RefusalReason,
    RefusedField,
    Remembered,
    RememberedCall,
    RememberedTurn,
    Scored,
    Value,
)
from scriza.ports.playbook import Answer, Extraction, Playbook, Variable

LONGEST_SUMMARY = 600
_MOST_NAMED = 6
_LONGEST_NAMED = 60
_NO_PROSE = re.compile(r"https?://|www\.|[<>{}`\[\]|]|\*\*")


class FoundField(msgspec.Struct, frozen=True):
    """A field as a model found it; nothing of it is believed."""

    name: str
    value: Value
    turn: int
    quote: str


class FoundScore(msgspec.Struct, frozen=True):
    """An answer to a question of the scorecard, as a model gave it."""

    id: str
    met: bool
    turn: int = 0
    quote: str = ""


class Report(msgspec.Struct, frozen=True):
    """What a model says of a call."""

    summary: str
    outcome: str = ""
    fields: list[FoundField] = []
    scorecard: list[FoundScore] = []


def by_rules(call: RememberedCall, playbook: Playbook | None) -> Findings:
    """From what the agent noticed in the turns; without the playbook nothing is extracted."""
    fields: list[ExtractedField] = []
    refused: list[RefusedField] = []
    for wanted in playbook.extraction if playbook else []:
        taken = _learned_field(wanted, call)
        if isinstance(taken, ExtractedField):
            fields.append(taken)
        elif taken is not None:
            refused.append(RefusedField(wanted.name, taken))
    summary = summary_by_rules(call, playbook)
    return Findings(call.outcome, summary, "rules", fields, refused)


def lesson_of(call: RememberedCall, playbook: Playbook | None, findings: Findings) -> Lesson | None:
    """What the call teaches of its caller: what they said of themselves, unless confidential, and what was promised.

    A call in which they said nothing, say one that nobody took, teaches nothing.
    """
    if not any(turn.said for turn in call.turns):
        return None
    variables = _open_variables(playbook)
    known = {item.id: item for turn in call.turns for item in _taught_by(turn, call, variables)}
    assert call.started_at is not None
    return Lesson(call.call_id, call.started_at, findings.summary, findings.outcome, list(known.values()))


def checked(report: Report, call: RememberedCall, playbook: Playbook, rules: Findings) -> Findings:
    """What the transcript supports of a model's report, beside what the rules have found.

    A summary that names a number nobody said, that holds an address or markup, or tells what is confidential, is not
    taken over.
    """
    by_name = {wanted.name: wanted for wanted in playbook.extraction}
    fields = {field.name: field for field in rules.fields}
    refused = {field.name: field for field in rules.refused}
    for found in report.fields:
        if found.name in fields:
            continue
        wanted = by_name.get(found.name)
        taken = "no such field" if wanted is None else _supported(found, wanted, call)
        if isinstance(taken, ExtractedField):
            fields[found.name] = taken
            refused.pop(found.name, None)
        elif wanted is not None:
            refused[found.name] = RefusedField(found.name, taken)
    outcome = call.outcome or (report.outcome if report.outcome in outcomes_of(playbook) else "")
    summary = " ".join(report.summary.split())
    trusted = _is_summary_of(summary, call, playbook)
    return Findings(
        outcome,
        summary if trusted else rules.summary,
        "model" if trusted else "rules",
        list(fields.values()),
        list(refused.values()),
        list(_scored(report.scorecard, call, playbook)),
    )


def outcomes_of(playbook: Playbook) -> set[str]:
    """All outcomes that a call by this playbook can have."""
    answers: Iterable[Answer] = (
        *(intent.answer for intent in playbook.intents),
        *(answer for stage in playbook.stages for answer in stage.answers.values()),
    )
    told = {answer.outcome for answer in answers if answer.outcome}
    return told | {*playbook.goal.success, *playbook.goal.disqualify, DO_NOT_CALL}


# ---- the summary ---------------------------------------------------------------------------------------------------


def summary_by_rules(call: RememberedCall, playbook: Playbook | None) -> str:
    """One or two lines: how long, what was asked and objected, what was learned and promised, and what came of it."""
    spoken = sum(1 for turn in call.turns if turn.said)
    told = [f"{call.direction.capitalize()} call of {call.duration_seconds or 0} s, {_times(spoken, 'turn')}."]
    told += _named("Asked about", _met(call, "faq", playbook))
    told += _named("Objected", _met(call, "objection", playbook))
    learned = _learned_last(call, _open_variables(playbook))
    told += _named("Learned", (f"{_words(name)} {value}" for name, value in learned.items()))
    told += _named("Promised", dict.fromkeys(promise.text for turn in call.turns for promise in turn.promised))
    if unanswered := sum(1 for turn in call.turns if turn.unanswered):
        told.append(f"{_times(unanswered, 'question')} without an answer.")
    told.append(f"Outcome: {_words(call.outcome)}." if call.outcome else f"No outcome ({_words(call.ended_reason)}).")
    return _cut(" ".join(told), LONGEST_SUMMARY)


def _met(call: RememberedCall, kind: str, playbook: Playbook | None) -> Iterator[str]:
    titles: dict[str, str] = {}
    if playbook:
        titles = {each.id: each.title for each in playbook.objections if each.title}
        titles |= {each.id: each.q[0] for each in playbook.faqs}
    met = Counter(turn.meant for turn in call.turns if turn.kind == kind and turn.meant)
    for name, count in met.items():
        title = titles.get(name, _words(name)).rstrip("?.! ")
        yield title if count == 1 else f"{title} ({count})"


def _learned_last(call: RememberedCall, variables: dict[str, Variable]) -> dict[str, str]:
    return {name: value for turn in call.turns for name, value in turn.learned.items() if name in variables}


def _named(what: str, items: Iterable[str]) -> list[str]:
    named = [_cut(item.rstrip(".!? "), _LONGEST_NAMED) for item in items]
    return [f"{what}: {'; '.join(named[:_MOST_NAMED])}."] if named else []


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _cut(text: str, most: int) -> str:
    """At most so long, cut between words."""
    if len(text) <= most:
        return text
    kept = text[: most - 2]
    return (kept.rpartition(" ")[0] or kept).rstrip(" .") + " …"


def _is_summary_of(summary: str, call: RememberedCall, playbook: Playbook) -> bool:
    if not summary or len(summary) > LONGEST_SUMMARY or _NO_PROSE.search(summary):
        return False
    said = " \n ".join(f"{turn.said} \n {turn.heard}" for turn in call.turns)
    known = numbers(said) | {call.duration_seconds, len(call.turns), *range(13)}
    return numbers(summary) <= known and not any(quoted(secret, summary) for secret in _secrets(call, playbook))


def _secrets(call: RememberedCall, playbook: Playbook) -> Iterator[str]:
    confidential = {variable.name for variable in playbook.variables if variable.confidential}
    for turn in call.turns:
        yield from (value for name, value in turn.learned.items() if name in confidential)


# ---- fields --------------------------------------------------------------------------------------------------------


def _learned_field(wanted: Extraction, call: RememberedCall) -> ExtractedField | RefusalReason | None:
    """The field from the last turn that filled its variable; none when no turn did."""
    slot = wanted.slot or wanted.name
    turn = next((turn for turn in reversed(call.turns) if slot in turn.learned), None)
    if turn is None:
        return None
    learned = turn.learned[slot]
    value = typed(learned, wanted.type, _day(call))
    if value is None or (wanted.type == "enum" and learned not in wanted.values):
        return "not allowed"
    quote = witness(learned, wanted.type, turn.said, _day(call), wanted.values)
    return ExtractedField(wanted.name, value, Evidence(turn.turn, quote)) if quote else "does not follow"


def _supported(found: FoundField, wanted: Extraction, call: RememberedCall) -> ExtractedField | RefusalReason:
    turn = next((turn for turn in call.turns if turn.turn == found.turn), None)
    if turn is None:
        return "no such turn"
    quote = quoted(found.quote, turn.said)
    if not quote:
        return "not said"
    if wanted.type == "enum" and found.value not in wanted.values:
        return "not allowed"
    if not follows(found.value, wanted.type, quote, _day(call)):
        return "does not follow"
    return ExtractedField(wanted.name, found.value, Evidence(turn.turn, quote))


def _scored(found: Iterable[FoundScore], call: RememberedCall, playbook: Playbook) -> Iterator[Scored]:
    """In the playbook's order. What is said to be met, and has no words for it, is not."""
    answers = {score.id: score for score in found}
    turns = {turn.turn: turn for turn in call.turns}
    for question in playbook.analysis.scorecard:
        if (answer := answers.get(question.id)) is None:
            continue
        turn = turns.get(answer.turn)
        quote = turn and (quoted(answer.quote, turn.said) or quoted(answer.quote, turn.heard))
        proof = Evidence(answer.turn, quote) if quote and answer.met else None
        yield Scored(question.id, proof is not None, question.weight, proof)


# ---- what the caller is remembered by --------------------------------------------------------------------------------


def _taught_by(turn: RememberedTurn, call: RememberedCall, variables: dict[str, Variable]) -> Iterator[Remembered]:
    for name, value in turn.learned.items():
        variable = variables.get(name)
        if variable and witness(value, variable.type, turn.said, _day(call), variable.values):
            yield Remembered(known_id("fact", name), "fact", name, value, call.call_id, turn.turn, turn.said_at)
    for promise in turn.promised if turn.heard else []:
        yield Remembered(
            known_id("promise", promise.name),
            "promise",
            promise.name,
            promise.text,
            call.call_id,
            turn.turn,
            turn.answered_at,
        )


def _open_variables(playbook: Playbook | None) -> dict[str, Variable]:
    if playbook is None:
        return {}
    return {variable.name: variable for variable in playbook.variables if not variable.confidential}


def _day(call: RememberedCall) -> date:
    """The day of the call, from which ``tomorrow`` counts: that of UTC."""
    assert call.started_at is not None
    return call.started_at.date()
