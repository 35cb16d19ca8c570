"""Events by which telephony tells the other modules of a call. Told twice, each is the same event."""

from datetime import datetime
from statistics import fmean

from scriza.kernel.events import Event, Topic, event
from scriza.modules.telephony.call_log import JournaledCall
from scriza.ports.telephony import (
    AudioSynthesized,
    CallCompleted,
    CallMetrics,
    CallStarted,
    CallStatus,
    CallUpdated,
    ReplyGenerated,
    UtteranceTranscribed,
)

_TOPICS = {
    CallStarted: Topic.CALL_STARTED,
    CallUpdated: Topic.CALL_UPDATED,
    CallCompleted: Topic.CALL_COMPLETED,
    UtteranceTranscribed: Topic.UTTERANCE_TRANSCRIBED,
    ReplyGenerated: Topic.REPLY_GENERATED,
    AudioSynthesized: Topic.AUDIO_SYNTHESIZED,
}
STARTED, COMPLETED = "started", "completed"
"""Keys of what is told once a call, by whoever in whatever process is the first to know."""


def about_call(
    data: CallStarted | CallUpdated | CallCompleted | UtteranceTranscribed | ReplyGenerated | AudioSynthesized,
    key: str,
    *,
    time: datetime,
    workspace: str,
) -> Event:
    """The event that holds `data`; `key` tells it apart from others of its kind about the same call."""
    return event(
        _TOPICS[type(data)],
        data,
        source="telephony",
        subject=data.call_id,
        key=key,
        time=time,
        workspace=workspace,
    )


def call_completed(
    call: JournaledCall, metrics: CallMetrics, *, status: CallStatus, reason: str, outcome: str, seconds: int
) -> CallCompleted:
    """What is told of a call at its end: the same whoever ends it, since it is read from the call's journal."""
    confidences = [turn.confidence for turn in call.turns if turn.user]
    return CallCompleted(
        call_id=call.call_id,
        status=status,
        ended_reason=reason,
        outcome=outcome,
        duration_seconds=seconds,
        turns=metrics.turns,
        direction=call.direction,
        caller=call.who,
        playbook=call.playbook,
        started_at=call.started_at,
        barge_ins=metrics.barge_ins,
        false_barge_ins=metrics.false_barge_ins,
        silence_prompts=metrics.silence_prompts,
        confidence=round(fmean(confidences), 4) if confidences else None,
        tokens=call.tokens,
    )


def told_at_the_end(call: JournaledCall, completed: CallCompleted, time: datetime) -> list[Event]:
    """The end of a call that nobody leads any more, behind those of its answers that a dead session did not tell."""
    answers = [about_call(reply, str(reply.turn), time=time, workspace=call.workspace) for reply in call.untold]
    return [*answers, about_call(completed, COMPLETED, time=time, workspace=call.workspace)]
