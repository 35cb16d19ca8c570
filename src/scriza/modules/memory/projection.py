"""From what is told of a call to what is remembered of it: pure, whatever order the events come in.

Each kind of event fills fields of its own, of the call and of one turn. What several kinds can tell is the same from
each, or only ever gets earlier (`started_at`), so that any order of the same events gives the same memory.
"""

from datetime import datetime

import msgspec

from scriza.kernel.events import Event, Topic
from scriza.ports.telephony import CallCompleted, CallStarted, CallUpdated, ReplyGenerated, UtteranceTranscribed

HEARD = frozenset(
    {
        Topic.CALL_STARTED,
        Topic.CALL_UPDATED,
        Topic.UTTERANCE_TRANSCRIBED,
        Topic.REPLY_GENERATED,
        Topic.CALL_COMPLETED,
    }
)
"""What memory is made of."""

Fields = dict[str, object]
"""Fields of `RememberedCall` or `RememberedTurn`, by name."""


class Told(msgspec.Struct, frozen=True):
    """What one event tells of a call."""

    call_id: str
    at: datetime
    """When the call had begun at the latest."""
    caller: str = ""
    call: Fields = {}
    turn: int | None = None
    turn_fields: Fields = {}
    completes: bool = False
    """The call goes on no more; further events may still be on their way."""


def told(event: Event) -> Told:
    """What the event tells. Raises msgspec.DecodeError for data that is not the topic's."""
    match event.type:
        case Topic.CALL_STARTED:
            return _started(event.time, _STARTED.decode(event.data))
        case Topic.CALL_UPDATED:
            return _updated(event.time, _UPDATED.decode(event.data))
        case Topic.UTTERANCE_TRANSCRIBED:
            return _said(event.time, _UTTERANCE.decode(event.data))
        case Topic.REPLY_GENERATED:
            return _answered(event.time, _REPLY.decode(event.data))
        case Topic.CALL_COMPLETED:
            return _completed(event.time, _COMPLETED.decode(event.data))
        case _:
            raise ValueError(f"memory does not listen to {event.type}")


def _started(at: datetime, data: CallStarted) -> Told:
    return Told(data.call_id, at, data.caller, {"direction": data.direction, **_known(caller=data.caller)})


def _updated(at: datetime, data: CallUpdated) -> Told:
    return Told(data.call_id, at, call=_known(playbook=data.playbook))


def _said(at: datetime, data: UtteranceTranscribed) -> Told:
    fields = {
        "said": data.text,
        "confidence": data.confidence,
        "said_at": at,
        "said_from_ms": data.began_ms,
        "said_to_ms": data.ended_ms,
        "said_in": data.stage,
    }
    return Told(data.call_id, at, turn=data.turn, turn_fields=_known(**fields))


def _answered(at: datetime, data: ReplyGenerated) -> Told:
    notes = data.notes
    fields = {
        "generated": data.text,
        "heard": data.heard,
        "answered_at": at,
        "heard_from_ms": data.began_ms,
        "heard_to_ms": data.ended_ms,
        "stage": data.stage,
        "interrupted": data.interrupted,
        "model": data.model,
        "tokens": data.tokens,
        "cached": data.cached,
        "clips": data.clips,
        "clips_cached": data.clips_cached,
        "latency": data.latency,
        "meant": notes.meant,
        "kind": notes.kind,
        "unanswered": notes.unanswered,
        "learned": notes.learned,
        "promised": notes.promised,
        "tools": notes.tools,
    }
    return Told(data.call_id, at, call=_known(playbook=notes.playbook), turn=data.turn, turn_fields=_known(**fields))


def _completed(at: datetime, data: CallCompleted) -> Told:
    fields = _known(
        caller=data.caller,
        playbook=data.playbook,
        ended_reason=data.ended_reason,
        outcome=data.outcome,
        duration_seconds=data.duration_seconds,
        barge_ins=data.barge_ins,
        silence_prompts=data.silence_prompts,
        tokens=data.tokens,
    )
    return Told(
        data.call_id,
        data.started_at or at,
        data.caller,
        {"direction": data.direction, **fields},
        completes=True,
    )


def _known(**fields: object) -> Fields:
    """Without what is empty: an event that does not know something must not undo what another one knew."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value is not False and value not in ("", [], {})
    }


_STARTED = msgspec.json.Decoder(CallStarted)
_UPDATED = msgspec.json.Decoder(CallUpdated)
_UTTERANCE = msgspec.json.Decoder(UtteranceTranscribed)
_REPLY = msgspec.json.Decoder(ReplyGenerated)
_COMPLETED = msgspec.json.Decoder(CallCompleted)
