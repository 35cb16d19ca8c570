"""The media stream's messages as Twilio writes them, and as it should not."""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, TooLarge
from scriza.modules.telephony import media
from scriza.modules.telephony.media import decode

STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"
CALL = "CA1234567890ABCDE1234567890ABCDE12"


def started(**changes: object) -> str:
    details: dict[str, object] = {
        "accountSid": "AC1",
        "streamSid": STREAM,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "abc"},
    }
    details.update(changes)
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": details, "streamSid": STREAM})


def spoken(payload: str, **changes: object) -> str:
    details: dict[str, object] = {"track": "inbound", "chunk": "2", "timestamp": "175", "payload": payload}
    details.update(changes)
    return json.dumps({"event": "media", "sequenceNumber": "4", "media": details, "streamSid": STREAM})


def test_connected_is_read() -> None:
    assert decode('{"event":"connected","protocol":"Call","version":"1.0.0"}') == media.Connected()


def test_start_tells_the_call_and_the_parameters() -> None:
    message = decode(started())
    assert isinstance(message, media.Start)
    assert (message.stream_sid, message.sequence_number) == (STREAM, 1)
    assert message.start.call_sid == CALL
    assert message.start.custom_parameters == {"token": "abc"}


def test_a_start_with_only_the_two_sids_is_enough() -> None:
    message = decode(
        json.dumps({"event": "start", "streamSid": STREAM, "start": {"streamSid": STREAM, "callSid": CALL}})
    )
    assert isinstance(message, media.Start)
    assert message.start.media_format == media.MediaFormat()
    assert message.start.custom_parameters == {}


def test_audio_arrives_decoded_and_numbers_may_be_strings_or_not() -> None:
    audio = bytes(range(160))
    as_strings = decode(spoken(base64.b64encode(audio).decode()))
    as_numbers = decode(spoken(base64.b64encode(audio).decode(), chunk=2, timestamp=175))
    assert as_strings == as_numbers
    assert isinstance(as_strings, media.Media)
    assert as_strings.media == media.MediaDetails(payload=audio, chunk=2, timestamp=175)


def test_digits_marks_and_stop_are_read() -> None:
    assert decode(
        json.dumps(
            {
                "event": "dtmf",
                "streamSid": STREAM,
                "sequenceNumber": "5",
                "dtmf": {"track": "inbound_track", "digit": "#"},
            }
        )
    ) == media.Dtmf(media.DtmfDetails("#"), STREAM, 5)
    assert decode(
        json.dumps({"event": "mark", "streamSid": STREAM, "sequenceNumber": "6", "mark": {"name": "3.1"}})
    ) == media.Mark(media.MarkDetails("3.1"), STREAM, 6)
    assert decode(
        json.dumps(
            {
                "event": "stop",
                "streamSid": STREAM,
                "sequenceNumber": "7",
                "stop": {"accountSid": "AC1", "callSid": CALL},
            }
        )
    ) == media.Stop(STREAM, 7)


def test_the_order_of_keys_does_not_matter() -> None:
    assert decode(f'{{"streamSid":"{STREAM}","mark":{{"name":"a"}},"sequenceNumber":"2","event":"mark"}}') == decode(
        f'{{"event":"mark","sequenceNumber":"2","streamSid":"{STREAM}","mark":{{"name":"a"}}}}'
    )


def test_an_unknown_kind_is_told_as_such_and_not_refused() -> None:
    assert decode('{"event":"transcription","text":"hello"}') == media.Unknown("transcription")


def test_fields_that_are_not_known_are_ignored() -> None:
    assert decode('{"event":"stop","new":{"deep":[1,2,{"x":null}]}}') == media.Stop()


MALFORMED = {
    "empty": "",
    "not JSON": "hello",
    "cut short": spoken("AAAA")[:-10],
    "not an object": '["media"]',
    "no event": '{"media":{"payload":"AAAA"}}',
    "event is a number": '{"event":7}',
    "media without payload": '{"event":"media","media":{"chunk":"1"}}',
    "payload is not base64": spoken("***"),
    "payload is a number": '{"event":"media","media":{"payload":5}}',
    "negative chunk": spoken("AAAA", chunk="-1"),
    "chunk in words": spoken("AAAA", chunk="two"),
    "huge timestamp": spoken("AAAA", timestamp=str(2**70)),
    "mark without name": '{"event":"mark","mark":{}}',
    "digit that is none": '{"event":"dtmf","dtmf":{"digit":"12"}}',
    "start without call": json.dumps({"event": "start", "streamSid": STREAM, "start": {}}),
    "start with an empty call": started(callSid=""),
    "start without stream": json.dumps({"event": "start", "start": {"callSid": CALL}}),
    "nested without end": '{"event":"media","x":' + "[" * 50_000,
    "nested arrays": "[" * 60_000,
    "lone surrogate": '{"event":"mark","mark":{"name":"\ud800"}}',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_refused_as_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match=r"not a (JSON|media) message"):
        decode(text)


def test_a_message_past_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        decode(spoken("A" * media.MAX_MESSAGE))


@pytest.mark.parametrize(
    "other",
    [
        {"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
    ],
)
def test_audio_in_another_format_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="only audio/x-mulaw, 8000 Hz, 1 channel"):
        decode(started(mediaFormat=other))


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_raises_anything_but_a_clear_refusal(text: str) -> None:
    with suppress(BadInput):
        decode(text)


@given(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "other"])},
        optional={
            name: st.none() | st.integers() | st.text() | st.dictionaries(st.text(), st.text())
            for name in ("start", "media", "dtmf", "mark", "stop", "streamSid", "sequenceNumber")
        },
    )
)
def test_no_object_raises_anything_but_a_clear_refusal(message: dict[str, object]) -> None:
    with suppress(BadInput):
        decode(json.dumps(message))


def test_outbound_messages_have_exactly_the_fields_that_twilio_takes() -> None:
    audio = bytes(range(256))
    encode = media.media_encoder(STREAM)
    assert json.loads(encode(audio)) == {
        "event": "media",
        "streamSid": STREAM,
        "media": {"payload": base64.b64encode(audio).decode()},
    }
    assert json.loads(media.encode_mark(STREAM, '4.2 "x"')) == {
        "event": "mark",
        "streamSid": STREAM,
        "mark": {"name": '4.2 "x"'},
    }
    assert json.loads(media.encode_clear(STREAM)) == {"event": "clear", "streamSid": STREAM}


def test_a_stream_id_cannot_break_out_of_the_message() -> None:
    assert json.loads(media.media_encoder('MZ","x":"')(b"\xff"))["streamSid"] == 'MZ","x":"'
