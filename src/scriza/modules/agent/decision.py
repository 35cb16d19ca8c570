"""What the playbook does with the caller's words. Pure: the same words in the same conversation decide the same."""

from collections.abc import Iterator, Sequence

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.agent import scopes
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.heard import Heard
from scriza.modules.agent.introductions import introduced
from scriza.modules.agent.matching import slot_value, words
from scriza.modules.agent.meaning import Asked, Meaning, Saying
from scriza.modules.agent.ranking import Ranking
from scriza.modules.agent.scopes import scope_of, sms_id
from scriza.modules.agent.slots import value_of
from scriza.modules.agent.texts import as_far_as_known
from scriza.ports.agent import Act, Conversation, HangUp, PressKeys, SendSms, SetOutcome, TransferTo
from scriza.ports.llm import ScriptLine
from scriza.ports.playbook import Exit, Stage


class Decision(msgspec.Struct, frozen=True):
    """Where the conversation goes, what may be said and what follows."""

    meant: Meaning | None
    """None when the words fit nothing."""
    stage: Stage
    """The one that the conversation is at after the answer."""
    slots: dict[str, str]
    script: list[ScriptLine]
    """Best first; those that the caller has not heard go before all others. An id with ``+`` names two lines."""
    saying: Saying
    """The answer that was chosen: the script begins with its lines, as long as there are new ones."""
    acts: dict[str, list[Act]]
    """What follows when a line is said, by its scope."""
    outright: bool = False
    """What the saying brings follows whatever is said."""
    word_for_word: bool = False
    """The script's best line is the answer; no model is asked."""
    before: list[ScriptLine] = []
    """Said before anything else, whoever answers."""
    question: ScriptLine | None = None
    """What the stage asks next."""
    exits: list[Exit] = []
    """Those that are left to a model's judgement."""
    learned: dict[str, str] = {}
    """Variables that the words have filled or changed."""
    answered: bool = False
    """The words answered the question that was asked."""

    def follows(self, said: Sequence[str]) -> list[Act]:
        """The acts, when these lines, by id, are what was said."""
        told = {scope_of(id_) for id_ in said}
        if self.outright:
            told.add(self.saying.scope)
        acts = [act for scope, acts in self.acts.items() if scope in told for act in acts]
        return [act for at, act in enumerate(acts) if act not in acts[:at]]

    @property
    def meant_id(self) -> str:
        """Empty when the words fit nothing."""
        return self.meant.id if self.meant else ""

    @property
    def ends(self) -> bool:
        """Whether the chosen answer ends the agent's part in the call."""
        return bool(self.saying.act)


def decide(guide: Guide, conversation: Conversation, utterance: str, digits: str = "") -> Decision:
    """What to do with an utterance, or with keys that were pressed. Raises BadInput for an unknown stage."""
    return _Deciding(guide, conversation, utterance, digits).decision()


def decide_to_close(guide: Guide, conversation: Conversation) -> Decision:
    """To say goodbye and end the call, whatever was said. Raises BadInput for an unknown stage."""
    return _Deciding(guide, conversation, "", "").decided(guide.saying(scopes.GOODBYE), None, word_for_word=True)


def decide_on_failure(guide: Guide, conversation: Conversation, utterance: str, tool: str) -> Decision:
    """What is said when a tool that the playbook wanted did not do it: nothing follows, but what was heard is heard."""
    deciding = _Deciding(guide, conversation, utterance, "")
    meant = deciding.decision().meant
    decision = deciding.decided(guide.saying(scopes.failed(tool)), None, answered=True)
    return msgspec.structs.replace(decision, meant=meant, stage=guide.stages[conversation.stage], exits=[])


def required(guide: Guide, ranking: Ranking, conversation: Conversation, said: str = "") -> list[ScriptLine]:
    """Lines of the rules that want something said which was neither heard in the call nor is `said` just now."""
    heard = " ".join([conversation.opening, *(exchange.agent for exchange in conversation.exchanges), said])
    due = (ranking.fresh(guide.saying(scopes.guardrail(rule.id)).lines) for rule in guide.rules.unkept(heard))
    return [lines[0] for lines in due if lines]


class _Deciding:
    """One decision on its way. `slots` and `learned` grow with what the words tell; nothing else changes."""

    def __init__(self, guide: Guide, conversation: Conversation, utterance: str, digits: str) -> None:
        here = guide.stages.get(conversation.stage)
        if here is None:
            raise BadInput("the conversation is at a stage that its playbook does not have")
        self._guide, self._conversation, self._here = guide, conversation, here
        self._utterance, self._digits = utterance, digits
        self._turns = conversation.turns_in_stage + 1
        self._heard = Heard(conversation)
        self._slots, self._learned = conversation.slots, dict[str, str]()
        self._ranking = Ranking(guide, self._heard, self._slots)

    def decision(self) -> Decision:
        guide = self._guide
        if redirected := self._redirected():
            return self.decided(redirected, None, word_for_word=True)
        meant = guide.matcher.by_key(self._digits) or guide.matcher.match(self._utterance, self._here)
        answered = self._learn(meant)
        if meant is None and not answered:
            meant = guide.meanings.get(guide.references.meant_by(self._utterance))
        if answered and (meant is None or (meant.weak and not guide.has(self._here, meant))):
            return self.decided(guide.saying(scopes.NOTED), meant, answered=True)
        if meant is None:
            return self.decided(guide.saying(scopes.UNKNOWN if words(self._utterance) else scopes.REPAIR), None)
        if self._is_used_up(meant):
            return self.decided(guide.saying(scopes.NO_INTEREST), meant, word_for_word=True)
        return self.decided(self._answer(meant), meant, answered=answered)

    def decided(
        self, saying: Saying, meant: Meaning | None, *, word_for_word: bool = False, answered: bool = False
    ) -> Decision:
        guide = self._guide
        stage, by_exit = self._after(saying, meant)
        ranking = self._ranking
        ends = bool(saying.act)
        question = None if ends else ranking.question(stage)
        wind_up = guide.saying(scopes.WIND_UP)
        if not ends and stage is self._here and self._has_lasted() and (offer := ranking.fresh(wind_up.lines)):
            question = offer[0]
        others = [] if ends else [guide.saying(scope) for scope in _OTHERS.get(saying.scope, _OTHER)]
        last = guide.saying(scopes.GOODBYE)
        return Decision(
            meant=meant,
            stage=stage,
            slots=self._slots,
            script=ranking.script([saying, *others], question, last, asks=by_exit),
            saying=saying,
            acts={each.scope: list(self._acts(each)) for each in (saying, last)},
            outright=word_for_word or (meant is not None and meant.outright and saying is meant.saying),
            word_for_word=word_for_word,
            before=required(guide, ranking, self._conversation) if ends else self._must_say(stage, ranking),
            question=question,
            exits=[] if ends or stage is not self._here else self._judged(meant),
            learned=self._learned,
            answered=answered,
        )

    # ---- what the words tell ----

    def _redirected(self) -> Saying | None:
        """What is said to words that a rule redirects, while it has something new to say."""
        rule = self._guide.rules.redirecting(self._utterance)
        saying = self._guide.saying(scopes.guardrail(rule.id)) if rule else None
        return saying if saying and self._ranking.fresh(saying.lines) else None

    def _learn(self, meant: Meaning | None) -> bool:
        """Fill variables from the words. Whether they answer the question that was asked."""
        for name, value in introduced(self._utterance).items():
            if name in self._guide.variables and not self._slots.get(name):
                self._note(name, value)
        if meant is not None and meant.slot is not None:
            self._note(meant.slot.name, slot_value(meant.slot, meant.triggers, self._utterance))
        if meant is not None and not (meant.weak or meant.slot or self._digits):
            return False  # the caller asks something, or wants something
        asked, in_its_words = self._asked()
        if asked is None:
            return False
        variable = self._guide.variable(asked.slot)
        if variable.type == "str" and (meant is not None or not in_its_words):
            return False  # any words are text, so only those count that nothing else explains
        return self._note(asked.slot, value_of(variable, self._utterance, self._digits))

    def _note(self, name: str, value: str) -> bool:
        if value and self._slots.get(name) != value:
            self._slots = {**self._slots, name: value}
            self._ranking = Ranking(self._guide, self._heard, self._slots)
            self._learned[name] = value
        return bool(value)

    def _asked(self) -> tuple[Asked | None, bool]:
        """The question whose answer is awaited, and whether it was asked in the playbook's words.

        A model asks in its own words; it is told to ask the first open question.
        """
        questions = [asked for asked in self._guide.questions(self._here) if asked.slot]
        lately = {scope_of(id_) for part in self._heard.last_lines for id_ in part.split("+")}
        if in_its_words := [asked for asked in questions if scope_of(asked.lines[0].id) in lately]:
            return in_its_words[-1], True
        if lately or not self._conversation.exchanges:
            return None, False
        return next((asked for asked in questions if not self._slots.get(asked.slot)), None), False

    def _is_used_up(self, meant: Meaning) -> bool:
        """Whether an objection was answered as often as it may be, and the stage has no answer of its own to it."""
        used = self._conversation.objections.get(meant.id, 0)
        return 0 < meant.max_uses <= used and not self._guide.has(self._here, meant)

    def _answer(self, meant: Meaning) -> Saying:
        saying = self._guide.answer(self._here, meant)
        if saying.act == "transfer" and not self._guide.transfer_to:
            return self._guide.saying(scopes.UNAVAILABLE)
        if meant.id == "goodbye" and self._conversation.outcome in self._guide.playbook.goal.success:
            success = self._guide.saying(scopes.SUCCESS)
            return success if self._ranking.fresh(success.lines) else saying
        return saying

    # ---- where it leads ----

    def _after(self, saying: Saying, meant: Meaning | None) -> tuple[Stage, bool]:
        """The stage after the answer, and whether an exit led there.

        The answer's own way goes first, then the first exit that holds, then that of its question, then the stage's
        `next` when it has lasted for as long as it may.
        """
        guide, here = self._guide, self._here
        own = saying.scope == scopes.UNAVAILABLE or saying.scope.startswith(f"{here.id}.")
        if saying.to and (own or not here.keeps):
            return guide.stages[saying.to], False
        for way in here.exits:
            if not way.when and self._holds(way, meant):
                return guide.stages[way.to], True
        if saying.ask and not here.keeps:
            return self._next(), False
        if self._has_lasted() and here.next and not saying.act:
            return guide.stages[here.next], True
        return here, False

    def _holds(self, way: Exit, meant: Meaning | None) -> bool:
        """Whether an exit is open, as far as no model has to judge it."""
        return (
            way.on in ("", meant.id if meant else "")
            and all(self._slots.get(name) for name in way.filled)
            and self._turns >= way.after_turns
        )

    def _judged(self, meant: Meaning | None) -> list[Exit]:
        return [way for way in self._here.exits if way.when and self._holds(way, meant)]

    def _has_lasted(self) -> bool:
        return 0 < self._here.max_turns <= self._turns

    def _next(self) -> Stage:
        """Where the next question is: here while one waits for its answer; stages that have nothing left are passed."""
        stage, ranking, passed = self._here, self._ranking, {self._here.id}
        while stage.next and not any(ranking.is_open(asked) for asked in self._guide.questions(stage)):
            following = self._guide.stages[stage.next]
            asks = any(asked.slot for asked in self._guide.questions(stage))
            if following.id in passed or not (stage is self._here or asks):
                break
            stage = following
            passed.add(stage.id)
        return stage

    def _must_say(self, stage: Stage, ranking: Ranking) -> list[ScriptLine]:
        lines = ranking.ready(self._guide.must_say(stage))
        return [] if any(self._heard.whole(line) for line in lines) else lines[:1]

    # ---- what follows ----

    def _acts(self, saying: Saying) -> Iterator[Act]:
        """In the order in which telephony takes them: what ends the talking comes last."""
        if saying.outcome:
            yield SetOutcome(saying.outcome)
        if saying.sms and sms_id(saying.scope) not in self._heard.ids:
            yield SendSms(as_far_as_known(saying.sms, self._guide.constants | self._slots))
        if saying.press:
            yield PressKeys(saying.press)
        if saying.act == "transfer":
            yield TransferTo(self._guide.transfer_to)
        if saying.act == "hang_up":
            yield HangUp()


_OTHER = (scopes.MORE, scopes.UNKNOWN)
_OTHERS = {scopes.UNKNOWN: (scopes.MORE,), scopes.REPAIR: (scopes.UNKNOWN,)}
"""Whose lines are said when those of an answer are used up."""
