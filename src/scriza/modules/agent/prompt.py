"""The messages that a model gets: how to speak, where the conversation is, and what was heard so far."""

from collections.abc import Iterator

from scriza.modules.agent.decision import Decision, Guide
from scriza.ports.agent import Conversation, HangUp, PressKeys, SendSms, TransferTo
from scriza.ports.llm import Message

_EXCHANGES = 20
"""Of the latest that a model is told."""
_LINES = 3
"""Of the playbook's lines that a model is shown."""

_SPEECH = """\
This is a phone call, and what you write is spoken aloud.
- Answer in one or two short sentences, 25 words at most, then ask one question at most.
- Write plain spoken words: no lists, no markup, no links, no emoji.
- The caller's words come from speech recognition and may be wrong; when they make no sense, ask.
- Say nothing twice in the same words.
- Claim only what is listed under facts; for anything else, offer that a colleague answers it."""

_FOLLOWS = {
    HangUp: "After this answer the call ends: say goodbye, and ask nothing.",
    TransferTo: "After this answer the caller is connected to a colleague: say so, and ask nothing.",
    PressKeys: "After this answer keys of the phone are pressed, as the machine asked: say nothing but yes.",
    SendSms: "After this answer the caller gets a text message with the key points: say so.",
}

NOTHING_UNDERSTOOD = "(the caller said something that was not understood)"


def messages(guide: Guide, conversation: Conversation, decision: Decision, utterance: str) -> list[Message]:
    """The conversation as the caller knows it, with the agent's guidance before it."""
    told = [Message("system", "\n\n".join(_guidance(guide, decision)))]
    exchanges = conversation.exchanges[-_EXCHANGES:]
    if conversation.opening and len(exchanges) == len(conversation.exchanges):
        told.append(Message("assistant", conversation.opening))
    for exchange in exchanges:
        told.append(Message("user", exchange.user or NOTHING_UNDERSTOOD))
        if exchange.agent:
            told.append(Message("assistant", exchange.agent))
    told.append(Message("user", utterance or NOTHING_UNDERSTOOD))
    return told


def _guidance(guide: Guide, decision: Decision) -> Iterator[str]:
    yield _SPEECH
    if guide.playbook.facts:
        yield "\n".join(["Facts:", *(f"- {fact}" for fact in guide.playbook.facts)])
    yield f"You are at the stage {decision.stage.id!r}. {decision.stage.goal}"
    if decision.slots:
        known = (f"{name}: {value}" for name, value in sorted(decision.slots.items()))
        yield "\n".join(["The caller has said:", *(f"- {slot}" for slot in known)])
    if decision.intent:
        lines = (f"- {line.text}" for line in decision.script[:_LINES])
        yield "\n".join(["Lines of the playbook that fit; say one of them, or the same in better words:", *lines])
    if decision.outright:
        yield from (_FOLLOWS[type(act)] for act in decision.acts if type(act) in _FOLLOWS)
