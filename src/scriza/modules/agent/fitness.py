"""Whether a playbook fits together: what would make a call trip over it. Style is lint's matter, not this one's."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from scriza.modules.agent.texts import has_stray_braces, texts_of
from scriza.ports.playbook import Answer, Playbook


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


def problems(playbook: Playbook, built_in: Iterable[str]) -> Iterator[str]:
    """What does not fit together, in words. `built_in` are ids of what callers mean beside the playbook's own."""
    stages = _ids(playbook.stages)
    own = _ids(playbook.intents) + _ids(playbook.objections) + _ids(playbook.faqs)
    meanings = {*own, *built_in}
    yield from (f"the stage {id_!r} is there twice" for id_ in _twice(stages))
    yield from (f"two things that callers mean are called {id_!r}" for id_ in _twice(own))
    for stage in playbook.stages:
        name = f"the stage {stage.id!r}"
        yield from (f"{name} has the question {id_!r} twice" for id_ in _twice(_ids(stage.ask)))
        yield from (f"{name} answers {id_!r}, which is no intent" for id_ in stage.answers if id_ not in meanings)
        yield from (
            f"{name} is left on {e.on!r}, which is no intent" for e in stage.exits if e.on not in {"", *meanings}
        )
    tools = {tool.name for tool in playbook.tools}
    yield from (f"two tools are called {name!r}" for name in _twice([tool.name for tool in playbook.tools]))
    for where, answer in _answers(playbook):
        if answer.tool and answer.tool not in tools:
            yield f"{where} has {answer.tool!r} run, which is no tool"
    for where, to in _ways(playbook):
        if to and to not in stages:
            yield f"{where} leads to {to!r}, which is no stage"
    yield from (
        f"the line {text!r} has braces that name no variable" for text in _spoken(playbook) if has_stray_braces(text)
    )


def _ways(playbook: Playbook) -> Iterator[tuple[str, str]]:
    """Everything that leads to a stage, and to which."""
    for stage in playbook.stages:
        yield f"the stage {stage.id!r}", stage.next
        yield from ((f"an exit of the stage {stage.id!r}", way.to) for way in stage.exits)
    yield from ((where, answer.to) for where, answer in _answers(playbook))
    yield from ((f"the objection {objection.id!r}", objection.next) for objection in playbook.objections)
    yield from ((f"the FAQ {faq.id!r}", faq.to) for faq in playbook.faqs)


def _answers(playbook: Playbook) -> Iterator[tuple[str, Answer]]:
    """Every answer that may have something follow, and where it stands."""
    for stage in playbook.stages:
        yield from ((f"the answer '{stage.id}.{name}'", answer) for name, answer in stage.answers.items())
    yield from ((f"the answer {intent.id!r}", intent.answer) for intent in playbook.intents)
    yield "the answer for when nobody can be reached", playbook.transfer.unavailable


def _spoken(playbook: Playbook) -> Iterator[str]:
    for stage in playbook.stages:
        yield from texts_of([stage.must_say, [asked.question for asked in stage.ask]])
        yield from texts_of([answer.say for answer in stage.answers.values()])
    yield from texts_of([intent.answer.say for intent in playbook.intents])
    yield from texts_of([objection.response for objection in playbook.objections])
    yield from texts_of([faq.a for faq in playbook.faqs])
    yield from texts_of([rule.instead for rule in playbook.guardrails])
    yield from texts_of([playbook.opening, playbook.closing, playbook.lines, playbook.silence])
    yield from texts_of([playbook.voicemail.text or "", playbook.transfer.unavailable.say])


def _twice(ids: Sequence[str]) -> list[str]:
    return sorted(id_ for id_, times in Counter(ids).items() if times > 1)


def _ids(records: Iterable[_HasId]) -> list[str]:
    return [record.id for record in records]
