"""Everything of a playbook that may be said word for word, as it will be asked of the voice. Pure."""

from collections.abc import Iterator, Mapping

from scriza.modules.agent.beginning import plan
from scriza.modules.agent.guarding import spoken_line
from scriza.modules.agent.guide import Guide, known_to
from scriza.modules.agent.texts import filled, variables_in
from scriza.ports.agent import CallFacts, SkippedLine, SpokenLine, SpokenLines
from scriza.ports.memory import CallerMemory

_BEFORE = "Thank you for telling me that. "
"""Stands for any answer that a question is said behind: its clauses are longer there than at the beginning."""


def spoken_lines(guide: Guide) -> SpokenLines:
    """The lines of a guide's language, each in the clauses that a call asks the voice for, with nobody known.

    A line with a variable that only a call can fill is skipped, and so is what is put together by a model.
    """
    known = known_to(guide, {})
    spoken: dict[str, SpokenLine] = {}
    skipped: list[SkippedLine] = []
    for id_, text in _whole(guide):
        spoken.setdefault(text, SpokenLine(id_, text))
    for id_, text, is_question in _answers(guide):
        if missing := sorted(variables_in(text) - known.keys()):
            skipped.append(SkippedLine(id_, f"it says {', '.join(missing)}, which only a call knows"))
            continue
        for clause in _clauses(filled(text, known), is_question=is_question):
            spoken.setdefault(clause, SpokenLine(id_, clause))
    return SpokenLines(plan(guide, "", CallFacts(""), CallerMemory()).voice, list(spoken.values()), skipped)


def _whole(guide: Guide) -> Iterator[tuple[str, str]]:
    """Lines that telephony says in one piece, to somebody of whom nothing is known."""
    inbound = plan(guide, "", CallFacts("", "inbound"), CallerMemory()).lines
    outbound = plan(guide, "", CallFacts("", "outbound"), CallerMemory()).lines
    yield "@opening.inbound", inbound.opening
    yield "@opening.outbound", outbound.opening
    named: Mapping[str, str] = {
        "@intro_timeout": inbound.intro_timeout,
        "@repair": inbound.repair,
        "@trouble": inbound.trouble,
        "@farewell": inbound.farewell,
        "@ends_early": inbound.ends_early,
        "@resumed": inbound.resumed,
        "@unreached": inbound.unreached,
        "@voicemail": inbound.voicemail,
        "@introduction": inbound.introduction,
        "@closed": inbound.closed,
    }
    yield from ((id_, text) for id_, text in named.items() if text)
    yield from ((f"@silence.{number}", text) for number, text in enumerate(inbound.silence_prompts, 1))


def _answers(guide: Guide) -> Iterator[tuple[str, str, bool]]:
    """Lines that the agent says, with their ids, and whether they are questions."""
    for line in guide.answer_lines():
        yield line.id, line.text, False
    for stage in guide.playbook.stages:
        for asked in guide.questions(stage):
            yield from ((line.id, line.text, True) for line in asked.lines)
    fillers = [*guide.playbook.lines.fillers, *(tool.filler for tool in guide.playbook.tools if tool.filler)]
    yield from ((f"@filler.{number}", text, False) for number, text in enumerate(guide.texts(fillers), 1))


def _clauses(text: str, *, is_question: bool) -> Iterator[str]:
    yield from spoken_line(text)
    if is_question:
        yield from spoken_line(_BEFORE + text)[1:]
