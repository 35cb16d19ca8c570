"""What was used, as events: whose ids count a repeated request once."""

from datetime import UTC, datetime

import msgspec
import pytest

from scriza.kernel.events import Topic
from scriza.kernel.principal import Principal, RequestContext
from scriza.ports.usage import AsrUsed, LlmUsed, TtsUsed, usage_event

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ASKED = RequestContext(Principal(workspace="acme"), request_id="req_1", call_id="CA1")
LLM = LlmUsed("CA1", "m", 1, 2, cached=False, estimated=False)
TTS = TtsUsed("CA1", "tone", "v", 13, cached=True)
ASR = AsrUsed("CA1", "whisper", 900)


@pytest.mark.parametrize(
    ("used", "topic", "source"),
    [
        (LLM, Topic.USAGE_LLM, "scriza/llm"),
        (TTS, Topic.USAGE_TTS, "scriza/tts"),
        (ASR, Topic.USAGE_ASR, "scriza/asr"),
    ],
)
def test_what_was_used_becomes_an_event_of_its_topic(
    used: LlmUsed | TtsUsed | AsrUsed, topic: Topic, source: str
) -> None:
    told = usage_event(used, ASKED, NOON)
    assert (told.type, told.source, told.subject, told.workspace, told.time) == (topic, source, "CA1", "acme", NOON)
    assert msgspec.json.decode(told.data, type=type(used)) == used


def test_a_repeated_request_is_the_same_event_and_its_parts_are_several() -> None:
    ids = [usage_event(TTS, ASKED, NOON, part=part).id for part in ("", "", "a", "a", "b")]
    assert len(set(ids)) == 3
    assert ids[0] == ids[1]
    assert ids[2] == ids[3]


def test_what_was_used_outside_a_call_belongs_to_its_request() -> None:
    assert usage_event(msgspec.structs.replace(ASR, call_id=""), ASKED, NOON).subject == "req_1"


def test_work_for_no_request_is_counted_each_time() -> None:
    assert usage_event(TTS, RequestContext(), NOON).id != usage_event(TTS, RequestContext(), NOON).id
