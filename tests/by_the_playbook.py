"""Conversations by the playbook alone, turn by turn, in which the caller hears everything."""

from collections.abc import Iterable
from typing import NamedTuple

from scriza.modules.agent.after import Told, conversation_after, lines_in, notes
from scriza.modules.agent.beginning import plan
from scriza.modules.agent.decision import Decision, decide
from scriza.modules.agent.guide import Guide
from scriza.ports.agent import Act, CallFacts, Conversation, HangUp, TransferTo, TurnNotes
from scriza.ports.memory import CallerMemory


class Turn(NamedTuple):
    """What one utterance has led to."""

    said: str
    acts: list[Act]
    decision: Decision
    conversation: Conversation
    notes: TurnNotes

    @property
    def over(self) -> bool:
        return any(isinstance(act, HangUp | TransferTo) for act in self.acts)


def begun(guide: Guide, call: CallFacts | None = None, memory: CallerMemory | None = None) -> Conversation:
    made = plan(guide, "sv_of_the_test", call or CallFacts("CA1"), memory or CallerMemory())
    made.conversation.opening = made.lines.opening
    return made.conversation


def answer(guide: Guide, conversation: Conversation, utterance: str, digits: str = "") -> Turn:
    """The turn as `AgentService` gives it when no model is asked."""
    decision = decide(guide, conversation, utterance, digits)
    lines = [*decision.before, decision.script[0]]
    said = " ".join(line.text for line in lines)
    ids = lines_in(said, [*decision.before, *decision.script])
    told = Told(utterance, said, ids, decision.follows(ids))
    after = conversation_after(conversation, decision, told)
    return Turn(said, told.acts, decision, after, notes(decision, told, conversation.playbook))


def talk(guide: Guide, utterances: Iterable[str], conversation: Conversation | None = None) -> list[Turn]:
    """The turns until the call is over, or nobody says anything more."""
    conversation = conversation or begun(guide)
    turns: list[Turn] = []
    for utterance in utterances:
        turns.append(answer(guide, conversation, utterance))
        conversation = turns[-1].conversation
        if turns[-1].over:
            break
    return turns
