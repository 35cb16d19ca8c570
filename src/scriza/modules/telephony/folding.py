"""From journal lines to turns, and to what a call needs to be gone on with: pure, whatever order the lines come in."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

import msgspec

from scriza.modules.telephony.call_log import Entry, StatusReport
from scriza.ports.agent import Conversation
from scriza.ports.telephony import TERMINAL, ReplyGenerated, TurnRecord

Kind = Literal["user", "reply", "heard"]

_ORDER: dict[Kind, int] = {"user": 0, "reply": 1, "heard": 2}
_TERMINAL_RANK = 1 << 40


class Progress(msgspec.Struct, frozen=True):
    """Where a call stands by its journal alone.

    `next_turn` is one past the last turn that has an answer, so an utterance without any is answered in its own turn.
    `unanswered` is what the caller said last, as far back as nothing was heard in answer. `tokens` are those of all
    answers, and `untold` the answers of which nobody has told what was heard.
    """

    next_turn: int
    conversation: Conversation | None
    unanswered: str
    tokens: int = 0
    untold: list[ReplyGenerated] = []


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Lines by turn, and within a turn as a conversation goes: the caller, the answer, what was heard of it."""
    return sorted(entries, key=lambda entry: (entry.turn, _ORDER[entry.kind]))


def fold(entries: Iterable[Entry]) -> list[TurnRecord]:
    """The turns. `agent` is what was heard where that is known, else what was generated."""
    turns: dict[int, TurnRecord] = {}
    for entry in in_order(entries):
        turn = turns.setdefault(entry.turn, TurnRecord(user="", agent="", stage="", confidence=1.0))
        turn.stage = entry.stage
        if entry.kind == "user":
            turn.user, turn.confidence = entry.text, entry.confidence
        else:
            turn.agent = entry.text
    return list(turns.values())


def progress(entries: Sequence[Entry]) -> Progress:
    """Where to go on."""
    lines = in_order(entries)
    if not lines:
        return Progress(next_turn=0, conversation=None, unanswered="")
    conversations = [entry.conversation for entry in lines if entry.conversation is not None]
    last = lines[-1]
    return Progress(
        next_turn=last.turn if last.kind == "user" else last.turn + 1,
        conversation=conversations[-1] if conversations else None,
        unanswered=" ".join(_unanswered(lines)),
        tokens=sum(entry.tokens for entry in lines),
        untold=_untold(lines),
    )


def _untold(lines: Sequence[Entry]) -> list[ReplyGenerated]:
    """As is the case with the transcript, an answer of which nobody could tell what was heard counts as heard."""
    heard = {entry.turn for entry in lines if entry.kind == "heard"}
    return [
        msgspec.structs.replace(entry.told, heard=entry.text)
        for entry in lines
        if entry.told is not None and entry.turn not in heard
    ]


def _unanswered(lines: Sequence[Entry]) -> list[str]:
    """The utterances at the end of the journal in answer to which nothing was heard.

    An answer of which nobody could tell any more what was heard counts as heard; it may have been an act without words.
    """
    said: list[str] = []
    for _, turn in groupby(lines, key=lambda entry: entry.turn):
        by_kind = {entry.kind: entry.text for entry in turn}
        answered = bool(by_kind["heard"]) if "heard" in by_kind else "reply" in by_kind
        if answered or "user" not in by_kind:
            said.clear()
        else:
            said.append(by_kind["user"])
    return said


def rank(report: StatusReport) -> int:
    """What decides between two reports: the higher stands, whichever came first.

    Sequence numbers order them; a terminal word stands over every other one, since no call goes on after it.
    """
    return report.sequence + (_TERMINAL_RANK if report.status in TERMINAL else 0)


def is_terminal(rank_: int) -> bool:
    """Whether the report of this rank ended the call."""
    return rank_ >= _TERMINAL_RANK
