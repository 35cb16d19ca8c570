"""What a turn has made of the conversation, and the notes for whoever learns from it. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from scriza.modules.agent.decision import Decision
from scriza.modules.agent.scopes import sms_id
from scriza.modules.agent.texts import plain, sentences
from scriza.ports.agent import (
    Act,
    Conversation,
    Exchange,
    Promise,
    Proposal,
    ScheduleCallback,
    SendSms,
    SetOutcome,
    ToolRun,
    TurnNotes,
)
from scriza.ports.llm import ScriptLine

_TELLING = 4
"""Words from which on a line is told by its words alone."""
_LONGEST_PROMISE = 300
_BOOKED = ("book", "appointment", "demo", "meeting", "visit")
"""What the name of an outcome holds by which something is agreed on."""


class Told(msgspec.Struct, frozen=True):
    """An answer as it was given."""

    user: str
    said: str
    lines: list[str]
    """Ids of the playbook's lines that it was made of."""
    acts: list[Act]
    spent_micro_usd: int = 0
    moved_to: str = ""
    """The stage that a model has judged to be next; empty for none."""
    noted: dict[str, str] = {}
    """Variables whose value a model has heard."""
    proposed: Proposal | None = None
    """What the caller was asked to agree to."""
    turn: int = 0
    tools: list[ToolRun] = []
    """Run in it, and in turns before it that the caller cut off."""


def lines_in(said: str, script: Sequence[ScriptLine]) -> list[str]:
    """Ids of the lines that were said word for word; a short one counts as a sentence only, not within another one."""
    spoken, whole = plain(said), {plain(sentence) for sentence in sentences(said)}

    def was_said(text: str) -> bool:
        return text in spoken if len(text.split()) >= _TELLING else text in whole

    return [id_ for line in script if was_said(plain(line.text)) for id_ in line.id.split("+")]


def conversation_after(before: Conversation, decision: Decision, told: Told) -> Conversation:
    """The conversation with the exchange as generated, and all that follows from it."""
    stage = told.moved_to or decision.stage.id
    messages = [sms_id(decision.saying.scope)] if any(isinstance(act, SendSms) for act in told.acts) else []
    outcomes = [act.outcome for act in told.acts if isinstance(act, SetOutcome)]
    kept = {promise.name: promise for promise in [*before.promises, *promised(told)]}
    meant, objections = decision.meant, before.objections
    if meant is not None and meant.kind == "objection":
        objections = {**objections, meant.id: objections.get(meant.id, 0) + 1}
    return msgspec.structs.replace(
        before,
        stage=stage,
        turns_in_stage=before.turns_in_stage + 1 if stage == before.stage else 0,
        slots=decision.slots | told.noted,
        objections=objections,
        promises=list(kept.values()),
        outcome=outcomes[-1] if outcomes else before.outcome,
        spent_micro_usd=before.spent_micro_usd + told.spent_micro_usd,
        proposed=told.proposed,
        turn=told.turn,
        exchanges=[*before.exchanges, Exchange(told.user, told.said, [*told.lines, *messages])],
    )


def notes(decision: Decision, told: Told, version: str) -> TurnNotes:
    """What was noticed in the turn."""
    meant = decision.meant
    return TurnNotes(
        meant=decision.meant_id,
        kind=meant.kind if meant else "",
        unanswered=bool(told.user) and meant is None and not decision.answered and not decision.word_for_word,
        learned=decision.learned | told.noted,
        promised=list(promised(told)),
        tools=told.tools,
        playbook=version,
    )


def promised(told: Told) -> Iterator[Promise]:
    """What the answer has promised the caller: in words, what was said of it."""
    said = told.said[:_LONGEST_PROMISE]
    for act in told.acts:
        match act:
            case SendSms():
                yield Promise("sms", act.text[:_LONGEST_PROMISE])
            case ScheduleCallback():
                yield Promise("callback", said)
            case SetOutcome() if "callback" in act.outcome:
                yield Promise("callback", said)
            case SetOutcome() if any(word in act.outcome for word in _BOOKED):
                yield Promise("booking", said)
