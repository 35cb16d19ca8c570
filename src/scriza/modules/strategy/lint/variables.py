"""Variables: those that lines name and nobody knows, and those that nobody names."""

import re
from collections.abc import Iterator

from scriza.modules.strategy.lint.references import unknown_variable
from scriza.modules.strategy.pointers import below
from scriza.modules.strategy.said import Line, spoken_lines
from scriza.ports.playbook import BUILT_IN_VARIABLES, Playbook
from scriza.ports.playbook_findings import Finding

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def variables(playbook: Playbook) -> Iterator[Finding]:
    """What is wrong with the variables and with who names them."""
    filled = fillable(playbook)
    known = filled | BUILT_IN_VARIABLES
    used = {intent.slot.name for intent in playbook.intents if intent.slot is not None}
    for line in _lines(playbook):
        for name in _PLACEHOLDER.findall(line.text):
            used.add(name)
            if _NAME.fullmatch(name) and name not in known:
                yield unknown_variable(name, known, line.pointer)
        if _has_stray_brace(line.text):
            fix = "write a variable as {name}, with its two braces"
            yield Finding("error", "stray-brace", "there are braces in it that name no variable", line.pointer, fix)
    for pointer, name in _slots(playbook):
        used.add(name)
        if name not in filled:
            yield unknown_variable(name, filled, pointer)
    for at, variable in enumerate(playbook.variables):
        here = below("/variables", at)
        if variable.name not in used and not (variable.required or variable.name in _extracted(playbook)):
            fix = "name it in a line as {" + variable.name + "}, ask for it with a question's `slot`, or delete it"
            yield Finding("note", "unused-variable", f"nothing uses the variable {variable.name!r}", here, fix)
        if variable.type == "enum" and not variable.values:
            fix = "write the values that it can have under `values:`"
            yield Finding("error", "enum-without-values", f"{variable.name!r} has no values", here, fix)


def fillable(playbook: Playbook) -> set[str]:
    """Variables that a call can know: those that are declared, and those that an intent's own words fill."""
    declared = {variable.name for variable in playbook.variables}
    return declared.union(intent.slot.name for intent in playbook.intents if intent.slot is not None)


def _lines(playbook: Playbook) -> Iterator[Line]:
    """Everything in which a variable can stand: what is spoken, and what is sent."""
    yield from spoken_lines(playbook)
    for at, faq in enumerate(playbook.faqs):
        yield Line(below("/faqs", at, "sms"), faq.sms, playbook.locale)
    for at, intent in enumerate(playbook.intents):
        yield Line(below("/intents", at, "answer", "sms"), intent.answer.sms, playbook.locale)
    for at, stage in enumerate(playbook.stages):
        yield Line(below("/stages", at, "prompt"), stage.prompt, playbook.locale)
        for key, answer in stage.answers.items():
            yield Line(below("/stages", at, "answers", key, "sms"), answer.sms, playbook.locale)
    yield Line("/sms_fallback/template", playbook.sms_fallback.template, playbook.locale)


def _slots(playbook: Playbook) -> Iterator[tuple[str, str]]:
    for at, stage in enumerate(playbook.stages):
        for index, asked in enumerate(stage.ask):
            if asked.slot:
                yield below("/stages", at, "ask", index, "slot"), asked.slot
        for index, way in enumerate(stage.exits):
            yield from ((below("/stages", at, "exits", index, "filled"), name) for name in way.filled)
    yield from (
        (below("/extraction", at, "slot"), field.slot) for at, field in enumerate(playbook.extraction) if field.slot
    )


def _extracted(playbook: Playbook) -> set[str]:
    return {field.name for field in playbook.extraction}


def _has_stray_brace(text: str) -> bool:
    rest = _PLACEHOLDER.sub(lambda found: "" if _NAME.fullmatch(found[1]) else found[0], text)
    return "{" in rest or "}" in rest
