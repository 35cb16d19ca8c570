"""Twilio Media Streams messages, in and out, and the socket they travel on.

Protocol: https://www.twilio.com/docs/voice/media-streams/websocket-messages. Every message is a JSON text frame whose
`event` names its kind. Twilio writes most of its numbers as strings; both forms are accepted. Audio is mu-law, 8 kHz,
mono, without a header: 8 bytes a millisecond.
"""

from binascii import b2a_base64
from collections import deque
from collections.abc import Callable
from typing import Annotated, Protocol

import msgspec

from scriza.audio.mulaw import BYTES_PER_MS, SAMPLE_RATE, silence
from scriza.kernel.errors import BadInput, TooLarge

MAX_MESSAGE = 64 * 1024
"""Longest message accepted, in characters: about 6 s of audio, where Twilio sends 20 ms."""

_FRAME_MS = 20
_NOTICED_MS = 3 * _FRAME_MS
"""A jump of the timestamp alone counts as lost audio from here on; below it is the network's jitter."""
_REMEMBERED = 64

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class SocketClosed(Exception):
    """The other side has closed the socket, or it broke. `code` is the websocket's close code."""

    def __init__(self, code: int = 1006) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class MediaSocket(Protocol):
    """A media stream's socket, accepted and open."""

    async def receive(self) -> str:
        """The next text message. Raises SocketClosed, BadInput for a binary one. Has no deadline of its own."""
        ...

    async def send(self, text: str) -> None:
        """Send a text message. Raises SocketClosed."""
        ...

    async def close(self, code: int = 1000) -> None:
        """Close it, with a websocket close code; Twilio then goes on with the call's TwiML. Closing twice is fine."""
        ...


class _Message(msgspec.Struct, frozen=True, gc=False, rename="camel", tag_field="event"):
    pass


class _Part(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    pass


class Connected(_Message, frozen=True, tag="connected"):
    """The first message; it says nothing about the call."""

    protocol: str = "Call"
    version: str = "1.0.0"


class MediaFormat(_Part, frozen=True):
    """What the stream's audio is; `sample_rate` in Hz."""

    encoding: str = "audio/x-mulaw"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1


class StartDetails(_Part, frozen=True):
    """Which call the stream belongs to, and the TwiML's parameters."""

    call_sid: Annotated[str, msgspec.Meta(min_length=1)]
    account_sid: str = ""
    tracks: tuple[str, ...] = ("inbound",)
    media_format: MediaFormat = MediaFormat()
    custom_parameters: dict[str, str] = {}


class Start(_Message, frozen=True, tag="start"):
    """The stream begins. Only the two Sids are needed; everything else has Twilio's usual value when left out."""

    stream_sid: Annotated[str, msgspec.Meta(min_length=1)]
    start: StartDetails
    sequence_number: _Count = 0


class MediaDetails(_Part, frozen=True):
    """Audio. `timestamp` is in ms since the stream's start, `chunk` counts the media messages from 1; 0 is unknown."""

    payload: bytes
    track: str = "inbound"
    chunk: _Count = 0
    timestamp: _Count = 0


class Media(_Message, frozen=True, tag="media"):
    """A piece of what the caller says, usually 20 ms."""

    media: MediaDetails
    stream_sid: str = ""
    sequence_number: _Count = 0


class DtmfDetails(_Part, frozen=True):
    """A key of the phone."""

    digit: Annotated[str, msgspec.Meta(pattern="^[0-9A-D*#]$")]


class Dtmf(_Message, frozen=True, tag="dtmf"):
    """The caller pressed a key."""

    dtmf: DtmfDetails
    stream_sid: str = ""
    sequence_number: _Count = 0


class MarkDetails(_Part, frozen=True):
    """A mark's name, as we gave it."""

    name: str


class Mark(_Message, frozen=True, tag="mark"):
    """Everything sent before this mark has been played, or was cleared."""

    mark: MarkDetails
    stream_sid: str = ""
    sequence_number: _Count = 0


class Stop(_Message, frozen=True, tag="stop"):
    """The stream ends: the call is over or its TwiML was replaced."""

    stream_sid: str = ""
    sequence_number: _Count = 0


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed message of a kind that is not known; to be counted, not acted upon."""

    event: str


Inbound = Connected | Start | Media | Dtmf | Mark | Stop
_Control = Dtmf | Mark | Stop
_KNOWN = frozenset({"connected", "start", "media", "dtmf", "mark", "stop"})


class _Envelope(msgspec.Struct):
    event: str


_decoder: msgspec.json.Decoder[Inbound] = msgspec.json.Decoder(Inbound, strict=False)
_envelope = msgspec.json.Decoder(_Envelope)


def decode(text: str) -> Inbound | Unknown:
    """One message.

    Raises TooLarge past `MAX_MESSAGE`, BadInput for what is not JSON, lacks what its kind needs or holds audio that
    is not base64, and for the `start` of a stream whose audio is not mu-law, 8 kHz, mono.
    """
    if len(text) > MAX_MESSAGE:
        raise TooLarge(f"a media message has at most {MAX_MESSAGE} characters")
    try:
        message = _decoder.decode(text)
    except msgspec.ValidationError as error:
        return _unknown(text, error)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadInput(f"not a JSON message: {error}") from error
    except RecursionError as error:
        raise BadInput("not a media message: nested too deeply") from error
    if type(message) is Start:
        _check_format(message)
    return message


def _unknown(text: str, error: msgspec.ValidationError) -> Unknown:
    try:
        event = _envelope.decode(text).event
    except msgspec.DecodeError:
        event = ""
    if not event or event in _KNOWN:
        raise BadInput(f"not a media message: {error}") from error
    return Unknown(event[:40])


def _check_format(start: Start) -> None:
    told = start.start.media_format
    if (told.encoding, told.sample_rate, told.channels) != ("audio/x-mulaw", SAMPLE_RATE, 1):
        raise BadInput(
            f"only audio/x-mulaw, {SAMPLE_RATE} Hz, 1 channel is understood, "
            f"not {told.encoding[:40]}, {told.sample_rate} Hz, {told.channels}"
        )


class _OutboundMark(_Message, frozen=True, tag="mark"):
    stream_sid: str
    mark: MarkDetails


class _OutboundClear(_Message, frozen=True, tag="clear"):
    stream_sid: str


def media_encoder(stream_sid: str) -> Callable[[bytes], str]:
    """A function that makes `media` messages of mu-law audio of any length, for one stream."""
    head = f'{{"event":"media","streamSid":{msgspec.json.encode(stream_sid).decode()},"media":{{"payload":"'

    def encode_media(audio: bytes) -> str:
        return head + b2a_base64(audio, newline=False).decode("ascii") + '"}}'

    return encode_media


def encode_mark(stream_sid: str, name: str) -> str:
    """A `mark`: it comes back when everything sent before it has been played or cleared."""
    return msgspec.json.encode(_OutboundMark(stream_sid, MarkDetails(name))).decode()


def encode_clear(stream_sid: str) -> str:
    """A `clear`: what is not yet played is thrown away and its marks come back."""
    return msgspec.json.encode(_OutboundClear(stream_sid)).decode()


class Sequencer:
    """Puts one stream's messages in order: what is missing becomes silence, what comes again or late is dropped.

    A gap shows in `chunk` or in the `timestamp`, and where a message tells neither, in `sequenceNumber`. It is filled
    up to `max_fill_ms`, so that audio time keeps pace with real time; the rest is skipped and counted. Messages of
    another stream and of another track are dropped.
    """

    def __init__(self, stream_sid: str, *, max_fill_ms: int = 1000) -> None:
        self._stream_sid = stream_sid
        self._max_fill_ms = max_fill_ms
        self._sequence = 0
        self._chunk = 0
        self._expected_ms = 0
        """Where the next frame should begin; 0 before the first one that tells its time."""
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self.gaps = 0
        self.filled_ms = 0
        self.skipped_ms = 0
        self.dropped = 0
        """Messages repeated, late, or not of this stream."""

    def audio(self, message: Media) -> bytes:
        """The audio to go on with: the message's own, after silence for what is missing; empty when it is dropped."""
        media = message.media
        number, chunk = message.sequence_number, media.chunk
        late = chunk <= self._chunk if chunk and self._chunk else 0 < number <= self._sequence
        if late or media.track != "inbound" or (message.stream_sid and message.stream_sid != self._stream_sid):
            self.dropped += 1
            return b""
        payload = media.payload
        missing_ms = self._missing_ms(number, chunk, media.timestamp)
        if number > self._sequence:
            self._sequence = number
        self._chunk = chunk
        self._expected_ms = media.timestamp + len(payload) // BYTES_PER_MS if media.timestamp else 0
        return payload if missing_ms <= 0 else self._fill(missing_ms) + payload

    def admit(self, message: _Control) -> bool:
        """Whether a message without audio is to be acted upon: False when it is repeated or of another stream.

        A late one is admitted, as nothing has taken its place.
        """
        number = message.sequence_number
        if (message.stream_sid and message.stream_sid != self._stream_sid) or (number and number in self._recent):
            self.dropped += 1
            return False
        self._recent.append(number)
        self._sequence = max(self._sequence, number)
        return True

    def _missing_ms(self, number: int, chunk: int, timestamp: int) -> int:
        by_time = timestamp - self._expected_ms if timestamp and self._expected_ms else 0
        if chunk and self._chunk:
            by_count = (chunk - self._chunk - 1) * _FRAME_MS
        elif not timestamp and number and self._sequence:
            by_count = (number - self._sequence - 1) * _FRAME_MS
        else:
            by_count = 0
        if by_count <= 0 and by_time < _NOTICED_MS:
            return 0
        return by_time if by_time > 0 else by_count

    def _fill(self, missing_ms: int) -> bytes:
        filled_ms = min(missing_ms, self._max_fill_ms)
        self.gaps += 1
        self.filled_ms += filled_ms
        self.skipped_ms += missing_ms - filled_ms
        return silence(filled_ms)
