"""References to what is not there, and names that mean two things: errors, since a call would trip over them."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import BUILT_IN_INTENTS, Answer, Playbook
from scriza.ports.playbook_findings import Finding


def references(playbook: Playbook) -> Iterator[Finding]:
    """Every reference that leads nowhere, every id that is there twice."""
    yield from _doubles(playbook)
    known = {stage.id for stage in playbook.stages}
    for pointer, stage in _ways(playbook):
        if stage and stage not in known:
            yield unknown("stage", stage, known, pointer)
    yield from _meanings(playbook)


def _doubles(playbook: Playbook) -> Iterator[Finding]:
    for section in ("stages", "competitors", "facts", "pricing", "guardrails"):
        yield from _twice((record.id, below("", section, at)) for at, record in enumerate(getattr(playbook, section)))
    for section in ("variables", "tools", "extraction"):
        yield from _twice((record.name, below("", section, at)) for at, record in enumerate(getattr(playbook, section)))
    yield from _twice(
        (score.id, below("/analysis/scorecard", at)) for at, score in enumerate(playbook.analysis.scorecard)
    )
    yield from _twice(
        (record.id, below("", section, at))
        for section in ("intents", "objections", "faqs")
        for at, record in enumerate(getattr(playbook, section))
    )
    for at, stage in enumerate(playbook.stages):
        yield from _twice((asked.id, below("/stages", at, "ask", index)) for index, asked in enumerate(stage.ask))


def _twice(ids: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Intents, objections and FAQs share one space of names: answers and exits name each of them by its id."""
    first: dict[str, str] = {}
    for id_, pointer in ids:
        if id_ in first:
            message = f"{id_!r} is there twice, first at {first[id_]}, and who refers to it can mean either"
            yield Finding("error", "duplicate-id", message, pointer, "give one of the two another id")
        first.setdefault(id_, pointer)


def _ways(playbook: Playbook) -> Iterator[tuple[str, str]]:
    """Everything that leads to a stage, by its pointer."""
    for at, stage in enumerate(playbook.stages):
        here = below("/stages", at)
        yield below(here, "next"), stage.next
        yield from ((below(here, "exits", index, "to"), way.to) for index, way in enumerate(stage.exits))
    yield from ((below("/objections", at, "next"), x.next) for at, x in enumerate(playbook.objections))
    yield from ((below("/faqs", at, "to"), faq.to) for at, faq in enumerate(playbook.faqs))
    yield from ((below(pointer, "to"), answer.to) for pointer, answer in answers(playbook))
    yield from (
        (below("/model_policy/critical_stages", at), id_)
        for at, id_ in enumerate(playbook.model_policy.critical_stages)
    )


def _meanings(playbook: Playbook) -> Iterator[Finding]:
    known = {*BUILT_IN_INTENTS, *(x.id for x in playbook.intents), *(x.id for x in playbook.faqs)}
    known.update(objection.id for objection in playbook.objections)
    for at, stage in enumerate(playbook.stages):
        for key in stage.answers:
            if key not in known:
                yield unknown("intent, objection or FAQ", key, known, below("/stages", at, "answers", key))
        for index, way in enumerate(stage.exits):
            if way.on and way.on not in known:
                yield unknown("intent, objection or FAQ", way.on, known, below("/stages", at, "exits", index, "on"))
    for at, intent in enumerate(playbook.intents):
        if not (intent.phrases or intent.triggers or intent.keys or intent.id in BUILT_IN_INTENTS):
            fix = "write phrases, as callers say it, or triggers"
            yield Finding(
                "warning", "never-meant", f"nothing tells when {intent.id!r} is meant", below("/intents", at), fix
            )


def answers(playbook: Playbook) -> Iterator[tuple[str, Answer]]:
    """Every answer that may have something follow, by its pointer."""
    for at, stage in enumerate(playbook.stages):
        yield from ((below("/stages", at, "answers", key), answer) for key, answer in stage.answers.items())
    yield from ((below("/intents", at, "answer"), intent.answer) for at, intent in enumerate(playbook.intents))
    yield "/transfer/unavailable", playbook.transfer.unavailable


def unknown(what: str, name: str, known: Iterable[str], pointer: str, instead: str = "") -> Finding:
    """What is said of a name that nothing has. The fix is the nearest one that is there, else `instead`, in words."""
    there = sorted(known)
    instead = instead or f"write the id of one that is there: {', '.join(there[:12])}"
    near = get_close_matches(name, there, 1)
    fix = f"did you mean {near[0]!r}?" if near else instead
    code = f"unknown-{what.split(' ')[0].strip(',')}"
    return Finding("error", code, f"there is no {what} called {name!r}", pointer, fix)


def unknown_variable(name: str, known: Iterable[str], pointer: str) -> Finding:
    """See `unknown`."""
    return unknown("variable", name, known, pointer, f"add it under `variables:` as `- name: {name}`")
