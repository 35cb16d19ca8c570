"""What the carrier says on a media stream, and how little it puts up with."""

import json
from base64 import b64decode

import pytest

from scriza.simulator.messages import CONNECTED, Clear, Mark, Media, Refused, Writer, read

SID = "MZ1"


def test_messages_have_twilios_shape_and_are_numbered_from_one() -> None:
    writer = Writer(SID, "CA1", "AC1")
    sent = [
        json.loads(message)
        for message in (
            writer.start({"token": "t"}),
            writer.media(160, b"\x00\xff" * 80),
            writer.dtmf("#"),
            writer.media(180, b"\xff" * 160),
            writer.mark("m"),
            writer.stop(),
        )
    ]
    assert json.loads(CONNECTED) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert [message["sequenceNumber"] for message in sent] == ["1", "2", "3", "4", "5", "6"]
    assert all(message["streamSid"] == SID for message in sent)
    start, media, dtmf, second, mark, stop = sent
    assert start["start"] == {
        "accountSid": "AC1",
        "streamSid": SID,
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t"},
    }
    assert b64decode(media["media"].pop("payload")) == b"\x00\xff" * 80
    assert media["media"] == {"track": "inbound", "chunk": "1", "timestamp": "160"}
    assert second["media"]["chunk"] == "2"
    assert dtmf["dtmf"] == {"track": "inbound_track", "digit": "#"}
    assert mark["mark"] == {"name": "m"}
    assert stop["stop"] == {"accountSid": "AC1", "callSid": "CA1"}


def test_the_three_documented_messages_are_understood() -> None:
    media = read(b'{"media":{"payload":"/38="},"event":"media","streamSid":"MZ1"}', SID)
    assert isinstance(media, Media)
    assert media.media.payload == b"\xff\x7f"
    mark = read(b'{"event":"mark","streamSid":"MZ1","mark":{"name":"m"}}', SID)
    assert isinstance(mark, Mark)
    assert mark.mark.name == "m"
    assert isinstance(read(b'{"event":"clear","streamSid":"MZ1"}', SID), Clear)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"media"',
        b"\xff\xfe",
        b'{"event":"media","streamSid":"MZ1"}',
        b'{"event":"media","media":{"payload":"/38="}}',
        b'{"streamSid":"MZ1","media":{"payload":"/38="}}',
        b'{"event":"media","streamSid":"MZ2","media":{"payload":"/38="}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":"not base64!"}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":"/38"}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":""}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":7}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":"/38=","track":"outbound"}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":"/38="},"sequenceNumber":"1"}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":"UklGRiQAAABXQVZF"}}',
        b'{"event":"media","streamSid":"MZ1","media":{"payload":"SUQzBAAAAAAA"}}',
        b'{"event":"mark","streamSid":"MZ1"}',
        b'{"event":"mark","streamSid":"MZ1","mark":{}}',
        b'{"event":"mark","streamSid":"MZ1","mark":{"name":""}}',
        b'{"event":"mark","streamSid":"MZ1","mark":{"name":1}}',
        b'{"event":"clear","streamSid":"MZ1","clear":{}}',
        b'{"event":"stop","streamSid":"MZ1"}',
        b'{"event":"hello","streamSid":"MZ1"}',
    ],
)
def test_anything_else_is_error_31951(text: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read(text, SID)
    assert refused.value.code == 31951
