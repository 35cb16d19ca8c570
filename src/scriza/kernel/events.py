"""The envelope of everything that is told: CloudEvents 1.0 in its JSON form, with deterministic ids."""

from datetime import datetime
from enum import StrEnum

import msgspec

from scriza.kernel.ids import derived_id
from scriza.kernel.principal import current


class Topic(StrEnum):
    """What can be told. The value is the CloudEvents `type`."""

    CALL_STARTED = "call.started"
    CALL_UPDATED = "call.updated"
    CALL_COMPLETED = "call.completed"
    UTTERANCE_TRANSCRIBED = "utterance.transcribed"
    REPLY_GENERATED = "reply.generated"
    AUDIO_SYNTHESIZED = "audio.synthesized"
    CALL_OUTCOME = "call.outcome"
    LEAD_HOT = "lead.hot"
    MESSAGE_RECEIVED = "message.received"
    CALLER_FORGOTTEN = "caller.forgotten"
    CALLER_ERASED = "caller.erased"
    USAGE_LLM = "usage.llm"
    USAGE_TTS = "usage.tts"
    USAGE_ASR = "usage.asr"
    USAGE_UPDATED = "usage.updated"
    USAGE_SUMMARY = "usage.summary"
    CREDIT_THRESHOLD = "credit.threshold"


_NO_CALL = ("who_", "era_")
"""How subjects begin that are pseudonyms of people, or erasures."""


class Event(msgspec.Struct, frozen=True):
    """One fact. Telling it twice gives the same `id`, so that a consumer counts it once.

    `subject` is the call id where there is one, else whom or what it is about, or at last the request; events of one
    subject are delivered in the order they were told.
    `data` is the JSON of the topic's own Struct.
    """

    id: str
    type: Topic
    source: str
    subject: str
    time: datetime
    workspace: str
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    request_id: str = msgspec.field(default="", name="requestid")
    """The request in which it happened, as an extension attribute; empty outside any."""

    @property
    def call_id(self) -> str:
        """The call that it tells of, empty where there is none."""
        return "" if self.subject == self.request_id or self.subject.startswith(_NO_CALL) else self.subject


def event(
    topic: Topic,
    data: msgspec.Struct,
    *,
    source: str,
    subject: str,
    key: str,
    time: datetime,
    workspace: str,
    request_id: str = "",
) -> Event:
    """An event whose id derives from workspace, topic, subject and `key` (for example the turn's number).

    It belongs to the request that is being served, unless another `request_id` is told.
    """
    return Event(
        id=derived_id("evt", workspace, topic, subject, key),
        type=topic,
        source=f"scriza/{source}",
        subject=subject,
        time=time,
        workspace=workspace,
        data=msgspec.Raw(msgspec.json.encode(data)),
        request_id=request_id or current().request_id,
    )
