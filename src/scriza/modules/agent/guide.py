"""A playbook compiled to lead conversations by, in one of its languages; checked so that no call trips over it."""

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.agent.builtin import BuiltIn, built_in
from scriza.modules.agent.matching import Matcher
from scriza.modules.agent.meaning import Meaning, Saying
from scriza.modules.agent.references import References
from scriza.modules.agent.rules import Rules
from scriza.modules.agent.speakable import speakable
from scriza.modules.agent.texts import has_stray_braces, texts_of
from scriza.modules.agent.tools.toolbox import Toolbox
from scriza.ports.llm import ScriptLine
from scriza.ports.playbook import (
    Answer,
    Faq,
    Intent,
    Objection,
    Playbook,
    Question,
    Spoken,
    Stage,
    Variable,
    in_language,
)

# Scopes that begin with @ are the agent's own: no id of a playbook can be one of them.
UNKNOWN = "@unknown"
MORE = "@more"
REPAIR = "@repair"
NOTED = "@noted"
WIND_UP = "@wind_up"
UNAVAILABLE = "@unavailable"
NO_INTEREST = "@no_interest"
SUCCESS = "@success"
GOODBYE = "@goodbye"

_LONGEST_VALUE = 200
"""Characters of a variable that a line says."""

NOT_INTERESTED = "not_interested"
"""The outcome of an objection that was accepted."""


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A question of a stage, in one language."""

    id: str
    slot: str
    lines: list[ScriptLine]


class Guide:
    """A playbook in one of its languages, ready to lead conversations.

    `transfer_to` is where callers go when the playbook names nobody. FAQs that are not true any more on the day
    `today`, ISO 8601, are left out. Raises BadInput, saying where, for a playbook that does not fit together; what
    compiles leads any conversation without a missing stage, answer or meaning.
    """

    def __init__(self, playbook: Playbook, locale: str = "", transfer_to: str = "", today: str = "") -> None:
        self.playbook = playbook
        self.faqs = [faq for faq in playbook.faqs if not faq.valid_until or faq.valid_until >= today]
        self.locale = locale or playbook.locale
        self.transfer_to = playbook.transfer.to or transfer_to
        self.built_in = built_in(self.locale.partition("-")[0])
        _check(playbook, self.built_in)
        self.stages = {stage.id: stage for stage in playbook.stages}
        self.variables = {variable.name: variable for variable in playbook.variables}
        self.constants = _constants(playbook)
        self.meanings = {meaning.id: meaning for meaning in self._meanings()}
        self.matcher = Matcher(self.meanings.values())
        self.rules = Rules(playbook.guardrails)
        self.references = References(msgspec.structs.replace(playbook, faqs=self.faqs), self.locale)
        self._sayings = {saying.scope: saying for saying in self._all_sayings()}
        self._questions = {
            stage.id: [
                Asked(asked.id, asked.slot, self._lines(f"{stage.id}.ask.{asked.id}", asked.question))
                for asked in stage.ask
            ]
            for stage in playbook.stages
        }
        self.toolbox = Toolbox(playbook, self.outcomes(), presses_keys=self.presses_keys())

    @property
    def first_stage(self) -> Stage:
        """The one that a call begins in."""
        return self.playbook.stages[0]

    def saying(self, scope: str) -> Saying:
        """The saying of a scope that the playbook has; every one of the agent's own is there, perhaps without lines."""
        return self._sayings[scope]

    def answer(self, stage: Stage, meaning: Meaning) -> Saying:
        """What is said to a meaning at a stage: the stage's own answer before the meaning's."""
        return self._sayings.get(f"{stage.id}.{meaning.id}", meaning.saying)

    def has(self, stage: Stage, meaning: Meaning) -> bool:
        """Whether the stage has an answer of its own to a meaning."""
        return meaning.id in stage.answers

    def questions(self, stage: Stage) -> list[Asked]:
        """What the stage asks, in its order."""
        return self._questions[stage.id]

    def answer_lines(self) -> Iterator[ScriptLine]:
        """Every line of every answer, the agent's own as well."""
        for saying in self._sayings.values():
            yield from saying.lines

    def must_say(self, stage: Stage) -> list[ScriptLine]:
        """Variants of what has to be said in the stage."""
        return self._sayings[must_say_scope(stage.id)].lines

    def variable(self, name: str) -> Variable:
        """The variable of that name; one that the playbook does not declare is text."""
        return self.variables.get(name) or Variable(name=name)

    def with_person(self, number: str) -> "Guide":
        """The same guide, with this person for callers who ask for one; as it is when the number is empty."""
        if not number:
            return self
        other = copy.copy(self)
        other.transfer_to = number
        return other

    def outcomes(self) -> list[str]:
        """Every outcome that a call can have, sorted."""
        of_answers = {saying.outcome for saying in self._sayings.values() if saying.outcome}
        goal = self.playbook.goal
        return sorted(of_answers.union(goal.success, goal.disqualify))

    def presses_keys(self) -> bool:
        """Whether any answer sounds keys."""
        return any(saying.press for saying in self._sayings.values())

    def texts(self, said: Iterable[Spoken]) -> list[str]:
        """Lines in this guide's language."""
        return [in_language(text, self.locale) for text in said]

    def text(self, said: Spoken | None) -> str:
        """A line in this guide's language; empty for none."""
        return "" if said is None else in_language(said, self.locale)

    # ---- compiling ----

    def _meanings(self) -> Iterator[Meaning]:
        """In the order in which equals go: what the playbook says before what is built in."""
        playbook, stock = self.playbook, {intent.id: intent for intent in self.built_in.intents}
        own = {intent.id for intent in playbook.intents}
        yield from (self._objection(objection) for objection in playbook.objections)
        yield from (self._faq(faq) for faq in self.faqs)
        for intent in playbook.intents:
            yield self._intent(_completed(intent, stock.get(intent.id)))
        taken = own.union(_ids(playbook.objections), _ids(playbook.faqs))
        yield from (self._intent(intent) for id_, intent in stock.items() if id_ not in taken)

    def _intent(self, intent: Intent) -> Meaning:
        return Meaning(
            id=intent.id,
            kind="intent",
            saying=self._saying(intent.id, self._busy(intent)),
            phrases=intent.phrases,
            triggers=intent.triggers,
            keys=intent.keys,
            slot=intent.slot,
            weak=intent.weak,
            outright=intent.outright,
        )

    def _busy(self, intent: Intent) -> Answer:
        """The closing's words for who has no time go before the built-in ones."""
        closing = self.playbook.closing.busy
        if intent.id != "busy" or not closing or "busy" in _ids(self.playbook.intents):
            return intent.answer
        return Answer(say=closing, outcome="busy", act="hang_up")

    def _objection(self, objection: Objection) -> Meaning:
        answer = Answer(say=objection.response, ask=objection.ask, to=objection.next)
        return Meaning(
            id=objection.id,
            kind="objection",
            saying=self._saying(objection.id, answer),
            phrases=objection.phrases,
            triggers=objection.triggers,
            severity=objection.severity,
            max_uses=objection.max_uses,
        )

    def _faq(self, faq: Faq) -> Meaning:
        answer = Answer(say=faq.a, ask=faq.ask, to=faq.to, sms=faq.sms)
        return Meaning(faq.id, "faq", self._saying(faq.id, answer), faq.q, faq.triggers)

    def _all_sayings(self) -> Iterator[Saying]:
        playbook = self.playbook
        closing, lines = playbook.closing, playbook.lines
        for meaning in self.meanings.values():
            yield meaning.saying
        for stage in playbook.stages:
            yield from (self._saying(f"{stage.id}.{id_}", answer) for id_, answer in stage.answers.items())
            yield Saying(must_say_scope(stage.id), self._lines(must_say_scope(stage.id), stage.must_say))
        for rule in playbook.guardrails:
            yield Saying(guardrail_scope(rule.id), self._lines(guardrail_scope(rule.id), rule.instead), ask=True)
        yield self._saying(UNAVAILABLE, playbook.transfer.unavailable)
        for tool in playbook.tools:
            yield Saying(failed_scope(tool.name), self._lines(failed_scope(tool.name), tool.failed or [lines.trouble]))
        yield Saying(UNKNOWN, self._lines(UNKNOWN, lines.unknown))
        yield Saying(MORE, self._lines(MORE, lines.more))
        yield Saying(REPAIR, self._lines(REPAIR, [lines.repair]))
        yield Saying(NOTED, self._lines(NOTED, self.built_in.noted), ask=True)
        yield Saying(WIND_UP, self._lines(WIND_UP, self.built_in.wind_up))
        yield Saying(SUCCESS, self._lines(SUCCESS, closing.success), act="hang_up")
        yield Saying(GOODBYE, self._lines(GOODBYE, [closing.goodbye]), act="hang_up")
        no_interest = closing.no_interest or [closing.goodbye]
        yield Saying(NO_INTEREST, self._lines(NO_INTEREST, no_interest), outcome=NOT_INTERESTED, act="hang_up")

    def _saying(self, scope: str, answer: Answer) -> Saying:
        return Saying(
            scope=scope,
            lines=self._lines(scope, answer.say),
            ask=answer.ask,
            to=answer.to,
            outcome=answer.outcome,
            tool=answer.tool,
            act=answer.act,
            press=answer.press,
            sms=answer.sms,
        )

    def _lines(self, scope: str, say: Iterable[Spoken]) -> list[ScriptLine]:
        return [ScriptLine(f"{scope}.{number}", text) for number, text in enumerate(self.texts(say), 1)]


def must_say_scope(stage: str) -> str:
    """The scope of the lines that a stage has to say."""
    return f"{stage}.@must_say"


def guardrail_scope(rule: str) -> str:
    """The scope of the lines that are said in the place of what a rule forbids."""
    return f"@guardrail.{rule}"


def failed_scope(tool: str) -> str:
    """The scope of the lines that are said when a tool did not do what it was asked."""
    return f"@failed.{tool}"


def scope_of(line_id: str) -> str:
    """The answer that a line belongs to: ``pitch.yes`` of ``pitch.yes.2``."""
    return line_id.partition("+")[0].rpartition(".")[0]


def sms_id(scope: str) -> str:
    """How an answer's text message is named among the lines of an exchange, so that it is sent once."""
    return f"{scope}.sms"


def _completed(own: Intent, stock: Intent | None) -> Intent:
    """A playbook's intent of a built-in id that has only an answer is recognised as the built-in one is."""
    if stock is None or own.phrases or own.triggers:
        return own
    return msgspec.structs.replace(stock, answer=own.answer, keys=own.keys or stock.keys)


def _constants(playbook: Playbook) -> dict[str, str]:
    """What lines can say of the agent itself, and what variables are until somebody says otherwise."""
    of_variables = {variable.name: variable.default for variable in playbook.variables if variable.default}
    who = playbook.persona
    return {"agent_name": who.name, "agent_company": who.company or who.name, **of_variables}


def _ids(records: Iterable[Intent | Objection | Faq | Stage | Question]) -> list[str]:
    return [record.id for record in records]


# ---- what makes a playbook unfit ----


def _check(playbook: Playbook, stock: BuiltIn) -> None:
    problem = next(_problems(playbook, stock), None)
    if problem is not None:
        raise BadInput(f"the playbook does not fit together: {problem}")


def _problems(playbook: Playbook, stock: BuiltIn) -> Iterator[str]:
    stages = _ids(playbook.stages)
    own = _ids(playbook.intents) + _ids(playbook.objections) + _ids(playbook.faqs)
    meanings = {*own, *_ids(stock.intents)}
    yield from (f"the stage {id_!r} is there twice" for id_ in _twice(stages))
    yield from (f"two things that callers mean are called {id_!r}" for id_ in _twice(own))
    for stage in playbook.stages:
        name = f"the stage {stage.id!r}"
        yield from (f"{name} has the question {id_!r} twice" for id_ in _twice(_ids(stage.ask)))
        yield from (f"{name} answers {id_!r}, which is no intent" for id_ in stage.answers if id_ not in meanings)
        yield from (
            f"{name} is left on {e.on!r}, which is no intent" for e in stage.exits if e.on not in {"", *meanings}
        )
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
        yield from ((f"the answer '{stage.id}.{name}'", answer.to) for name, answer in stage.answers.items())
    yield from ((f"the answer {intent.id!r}", intent.answer.to) for intent in playbook.intents)
    yield from ((f"the objection {objection.id!r}", objection.next) for objection in playbook.objections)
    yield from ((f"the FAQ {faq.id!r}", faq.to) for faq in playbook.faqs)
    yield "the answer for when nobody can be reached", playbook.transfer.unavailable.to


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


def known_to(guide: Guide, slots: Mapping[str, str]) -> dict[str, str]:
    """Everything that a line may say, as it can be spoken: the caller's variables before the playbook's defaults."""
    spoken = {name: speakable(value[:_LONGEST_VALUE]) for name, value in slots.items()}
    return {**guide.constants, **{name: value for name, value in spoken.items() if value}}
