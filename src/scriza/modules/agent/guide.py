"""A playbook compiled to lead conversations by, in one of its languages; checked so that no call trips over it."""

import copy
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.agent import scopes
from scriza.modules.agent.builtin import BuiltIn, built_in
from scriza.modules.agent.fitness import problems
from scriza.modules.agent.matching import Matcher
from scriza.modules.agent.meaning import Asked, Meaning, Saying
from scriza.modules.agent.references import References
from scriza.modules.agent.rules import Rules
from scriza.modules.agent.speakable import speakable
from scriza.modules.agent.tools.toolbox import Toolbox
from scriza.ports.agent import DO_NOT_CALL
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

_LONGEST_VALUE = 200
"""Characters of a variable that a line says."""
_NOT_INTERESTED = "not_interested"
"""The outcome of an objection that was accepted."""


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
        return self._sayings[scopes.must_say(stage.id)].lines

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
            prevails=intent.outright and intent.answer.outcome == DO_NOT_CALL,
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
        for meaning in self.meanings.values():
            yield meaning.saying
        for stage in self.playbook.stages:
            yield from (self._saying(f"{stage.id}.{id_}", answer) for id_, answer in stage.answers.items())
        for scope, answer in self._own_answers():
            yield self._saying(scope, answer)

    def _own_answers(self) -> Iterator[tuple[str, Answer]]:
        """What is said when it is no meaning's turn, perhaps in no words at all."""
        playbook, stock = self.playbook, self.built_in
        closing, lines = playbook.closing, playbook.lines
        for stage in playbook.stages:
            yield scopes.must_say(stage.id), Answer(say=stage.must_say)
        for rule in playbook.guardrails:
            yield scopes.guardrail(rule.id), Answer(say=rule.instead, ask=True)
        for tool in playbook.tools:
            yield scopes.failed(tool.name), Answer(say=tool.failed or [lines.trouble])
        yield scopes.UNAVAILABLE, playbook.transfer.unavailable
        yield scopes.UNKNOWN, Answer(say=lines.unknown)
        yield scopes.MORE, Answer(say=lines.more, ask=True)
        yield scopes.REPAIR, Answer(say=[lines.repair])
        yield scopes.NOTED, Answer(say=[*stock.noted], ask=True)
        yield scopes.WIND_UP, Answer(say=[*stock.wind_up])
        yield scopes.SUCCESS, Answer(say=closing.success, act="hang_up")
        yield scopes.GOODBYE, Answer(say=[closing.goodbye], act="hang_up")
        accepted = closing.no_interest or [closing.goodbye]
        yield scopes.NO_INTEREST, Answer(say=accepted, outcome=_NOT_INTERESTED, act="hang_up")

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


def _check(playbook: Playbook, stock: BuiltIn) -> None:
    problem = next(problems(playbook, [intent.id for intent in stock.intents]), None)
    if problem is not None:
        raise BadInput(f"the playbook does not fit together: {problem}")


def known_to(guide: Guide, slots: Mapping[str, str]) -> dict[str, str]:
    """Everything that a line may say, as it can be spoken: the caller's variables before the playbook's defaults."""
    spoken = {name: speakable(value[:_LONGEST_VALUE]) for name, value in slots.items()}
    return {**guide.constants, **{name: value for name, value in spoken.items() if value}}
