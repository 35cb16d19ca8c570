"""What the playbook does with the caller's words. Pure: the same words in the same conversation decide the same."""

import copy
from collections.abc import Iterator, Sequence

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.agent.matching import Matcher, slot_value, words
from scriza.modules.agent.playbook import UNAVAILABLE, Answer, Intent, Playbook, Stage, slots_in
from scriza.ports.agent import Act, Conversation, HangUp, PressKeys, SendSms, SetOutcome, TransferTo
from scriza.ports.llm import ScriptLine

_LINES = 8
"""Lines that are ranked for one answer, at most."""
_WHISPERED = 200
"""Characters of the caller's last words that the person is told."""


class Decision(msgspec.Struct, frozen=True):
    """Where the conversation goes, what may be said and what follows."""

    intent: str
    """Empty when the words fit nothing."""
    stage: Stage
    """The one that the conversation is at after the answer."""
    slots: dict[str, str]
    script: list[ScriptLine]
    """Best first; those that the caller has not heard go before all others. An id with ``+`` names two lines."""
    acts: list[Act] = []
    """What follows when a line of the intent's answer is said, or, if it is `outright`, whatever is said."""
    scope: str = ""
    """Whose lines the acts follow from."""
    outright: bool = False

    def follows(self, said: Sequence[str]) -> list[Act]:
        """The acts, when these lines, by id, are what was said."""
        return list(self.acts) if self.outright or any(scope_of(id_) == self.scope for id_ in said) else []


class Guide:
    """A playbook, ready to lead conversations. `transfer_to` is where callers go when the playbook names nobody."""

    def __init__(self, playbook: Playbook, transfer_to: str = "") -> None:
        self.playbook = playbook
        self.transfer_to = playbook.transfer.to or transfer_to
        self._matcher = Matcher(playbook)
        self._stages = {stage.id: stage for stage in playbook.stages}
        say = {scope: answer.say for scope, answer in playbook.answers()}
        say |= {f"{stage.id}.ask": stage.ask for stage in playbook.stages}
        say |= {"unknown": playbook.unknown, "more": playbook.more, "repair": [playbook.lines.repair]}
        self._lines = {scope: _numbered(scope, texts) for scope, texts in say.items()}
        self._texts = {line.id: line.text for lines in self._lines.values() for line in lines}

    def with_person(self, number: str) -> "Guide":
        """The same playbook, with this person for callers who ask for one; as it is when the number is empty."""
        if not number:
            return self
        other = copy.copy(self)
        other.transfer_to = number
        return other

    def decide(self, conversation: Conversation, utterance: str, digits: str = "") -> Decision:
        """What to do with an utterance, or with keys that were pressed. Raises BadInput for an unknown stage."""
        here = self._stages.get(conversation.stage)
        if here is None:
            raise BadInput("the conversation is at a stage that its playbook does not have")
        slots = conversation.slots
        told = _Told(conversation, self._texts)
        intent = self._matcher.by_key(digits) or self._matcher.match(utterance, here)
        if intent is None:
            scopes = ["unknown", "more"] if words(utterance) else ["repair", "unknown"]
            return Decision("", here, slots, self._ranked(told, slots, scopes, here, asked=frozenset({"more"})))
        if intent.slot is not None:
            value = slot_value(intent.slot, intent.triggers, utterance)
            slots = slots | {intent.slot.name: value} if value else slots
        scope, answer = self._answer(here, intent)
        stage = self._stages[_after(here, scope, answer)]
        scopes = [scope] if answer.act else [scope, "more", "unknown"]
        asked = frozenset({scope, "more"}) if answer.ask else frozenset({"more"})
        return Decision(
            intent=intent.id,
            stage=stage,
            slots=slots,
            script=self._ranked(told, slots, scopes, stage, asked),
            acts=list(self._acts(answer, scope, told)),
            scope=scope,
            outright=intent.outright and scope == intent.id,
        )

    def _answer(self, here: Stage, intent: Intent) -> tuple[str, Answer]:
        scope, answer = intent.id, intent.answer
        if intent.id in here.answers:
            scope, answer = f"{here.id}.{intent.id}", here.answers[intent.id]
        if answer.act == "transfer" and not self.transfer_to:
            scope, answer = UNAVAILABLE, self.playbook.transfer.unavailable
        return scope, answer

    def _acts(self, answer: Answer, scope: str, told: "_Told") -> Iterator[Act]:
        """In the order in which telephony takes them: what ends the talking comes last."""
        if answer.outcome:
            yield SetOutcome(answer.outcome)
        if answer.sms and sms_id(scope) not in told.ids:
            yield SendSms(answer.sms)
        if answer.press:
            yield PressKeys(answer.press)
        if answer.act == "transfer":
            yield TransferTo(self.transfer_to)
        if answer.act == "hang_up":
            yield HangUp()

    def _ranked(
        self, told: "_Told", slots: dict[str, str], scopes: Sequence[str], stage: Stage, asked: frozenset[str]
    ) -> list[ScriptLine]:
        """Lines that the caller has not heard, in the order of the scopes; then the first scope's, oldest first.

        Lines of the scopes in `asked` have the stage's next question behind them.
        """
        ready = {
            scope: [line for line in self._lines[scope] if slots_in(line.text) <= slots.keys()] for scope in scopes
        }
        fresh = [line for lines in ready.values() for line in lines if not told.heard(line)]
        again = sorted((line for line in ready[scopes[0]] if told.heard(line)), key=told.latest)
        questions = self._lines[f"{stage.id}.ask"]
        question = min(questions, key=told.latest) if questions else None
        script = []
        for line in (fresh + again)[:_LINES]:
            text, id_ = line.text.format_map(slots), line.id
            if question is not None and scope_of(id_) in asked:
                text, id_ = f"{text} {question.text}", f"{id_}+{question.id}"
            script.append(ScriptLine(id_, text))
        return script


def whisper(playbook: Playbook, slots: dict[str, str], utterance: str) -> str:
    """What a person hears of the caller before the two are connected; empty when the playbook has no words for it."""
    if not playbook.transfer.whisper:
        return ""
    known = [f"{name.replace('_', ' ')}: {value}." for name, value in sorted(slots.items())]
    said = [f"They said: {utterance[:_WHISPERED].strip('. ')}."] if utterance else []
    return " ".join([playbook.transfer.whisper, *known, *said])


class _Told:
    """Which of the playbook's lines the caller has heard."""

    def __init__(self, conversation: Conversation, texts: dict[str, str]) -> None:
        self.ids = {id_ for exchange in conversation.exchanges for id_ in exchange.line_ids}
        heard = (id_ for exchange in conversation.exchanges if exchange.agent for id_ in exchange.line_ids)
        self._latest = {texts.get(id_, ""): position for position, id_ in enumerate(heard)}

    def heard(self, line: ScriptLine) -> bool:
        return line.text in self._latest

    def latest(self, line: ScriptLine) -> int:
        """Its place among all that was heard; -1 when it was not."""
        return self._latest.get(line.text, -1)


def scope_of(line_id: str) -> str:
    """The answer that a line belongs to: ``pitch.yes`` of ``pitch.yes.2``."""
    return line_id.partition("+")[0].rpartition(".")[0]


def sms_id(scope: str) -> str:
    """How an answer's text message is named among the lines of an exchange, so that it is sent once."""
    return f"{scope}.sms"


def _after(here: Stage, scope: str, answer: Answer) -> str:
    own = scope == UNAVAILABLE or scope.startswith(f"{here.id}.")
    if here.keeps and not own:
        return here.id
    return answer.to or (answer.ask and here.next) or here.id


def _numbered(scope: str, say: Sequence[str]) -> list[ScriptLine]:
    return [ScriptLine(f"{scope}.{number}", text) for number, text in enumerate(say, 1)]
