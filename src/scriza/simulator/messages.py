"""The messages of a bidirectional media stream, as Twilio sends them and as it accepts them.

https://www.twilio.com/docs/voice/media-streams/websocket-messages. What is sent is put together from prepared pieces,
as fifty times a second and call is often; what is received is refused for the slightest fault.
"""

from binascii import b2a_base64

import msgspec

_CONTAINERS = (b"RIFF", b"ID3", b"OggS", b"fLaC", b".snd")
"""How audio files begin that are not bare mu-law."""


class Refused(Exception):
    """Twilio would refuse the message; `code` is its error's number."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    payload: bytes


class _Name(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Media(msgspec.Struct, tag_field="event", tag="media", rename="camel", forbid_unknown_fields=True, gc=False):
    """Audio to be played."""

    stream_sid: str
    media: _Payload


class Mark(msgspec.Struct, tag_field="event", tag="mark", rename="camel", forbid_unknown_fields=True, gc=False):
    """Asks to be told when everything before it has been played."""

    stream_sid: str
    mark: _Name


class Clear(msgspec.Struct, tag_field="event", tag="clear", rename="camel", forbid_unknown_fields=True, gc=False):
    """Forget what has not been played."""

    stream_sid: str


Message = Media | Mark | Clear
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def read(text: bytes, stream_sid: str) -> Message:
    """One message from the agent's side. Raises Refused with 31951 for whatever is not exactly as documented."""
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(31951, f"invalid message: {error}") from error
    if message.stream_sid != stream_sid:
        raise Refused(31951, "invalid message: streamSid is another stream's")
    if isinstance(message, Media):
        if not message.media.payload:
            raise Refused(31951, "invalid message: media without audio")
        if message.media.payload.startswith(_CONTAINERS):
            raise Refused(31951, "invalid message: the payload is an audio file, not bare mu-law")
    elif isinstance(message, Mark) and not message.mark.name:
        raise Refused(31951, "invalid message: a mark without a name")
    return message


CONNECTED = b'{"event":"connected","protocol":"Call","version":"1.0.0"}'


class Writer:
    """Numbers and writes the messages of one stream."""

    def __init__(self, stream_sid: str, call_sid: str, account_sid: str) -> None:
        self._sid, self._call_sid, self._account_sid = stream_sid, call_sid, account_sid
        self._sequence = 0
        self._chunk = 0
        self._tail = b'"},"streamSid":"%b"}' % stream_sid.encode()

    def start(self, parameters: dict[str, str]) -> bytes:
        """The first message after `CONNECTED`."""
        details: dict[str, object] = {
            "accountSid": self._account_sid,
            "streamSid": self._sid,
            "callSid": self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        return self._encode("start", details)

    def media(self, timestamp_ms: int, frame: bytes) -> bytes:
        """What the caller says, mu-law; `timestamp_ms` is since the stream's start."""
        self._sequence += 1
        self._chunk += 1
        return b"".join(
            (
                b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d","payload":"'
                % (self._sequence, self._chunk, timestamp_ms),
                b2a_base64(frame, newline=False),
                self._tail,
            )
        )

    def dtmf(self, digit: str) -> bytes:
        """The caller pressed a key."""
        return self._encode("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> bytes:
        """What was sent before the mark has been played or cleared."""
        return self._encode("mark", {"name": name})

    def stop(self) -> bytes:
        """The last message."""
        return self._encode("stop", {"accountSid": self._account_sid, "callSid": self._call_sid})

    def _encode(self, event: str, details: dict[str, object]) -> bytes:
        self._sequence += 1
        message = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            event: details,
            "streamSid": self._sid,
        }
        return msgspec.json.encode(message)
