"""Events by which telephony tells the other modules of a call. Told twice, each is the same event."""

from datetime import datetime

from scriza.kernel.events import Event, Topic, event
from scriza.ports.telephony import (
    AudioSynthesized,
    CallCompleted,
    CallStarted,
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
