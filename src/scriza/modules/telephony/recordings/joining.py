"""Segments of all streams of a call, put together to one WAV file: the caller left, the agent right."""

from collections.abc import AsyncIterator, Sequence

import msgspec
import numpy as np
import structlog

from scriza.audio import mulaw
from scriza.audio.mulaw import SAMPLE_RATE
from scriza.audio.wav import wav_header
from scriza.kernel.errors import NotFound
from scriza.modules.telephony.live.recorder import Segment
from scriza.modules.telephony.recordings.log import CallRecording
from scriza.ports.objects import Objects

CHANNELS = 2

_PIECE = SAMPLE_RATE
"""So many samples are worked on in one go: a fraction of a millisecond."""
_JOINED = 8
"""Closer than so many samples a segment follows the one before without a gap."""
_MOST_MISSING = 30
"""Segments in a row that may have been lost while the store was away; more is the stream's end."""
_log = structlog.get_logger()
_DECODER = msgspec.msgpack.Decoder(Segment)


class Stretch(msgspec.Struct, frozen=True):
    """A segment's place in the file, in samples: `silence` comes before it, `skipped` is what is left out of it."""

    key: str
    silence: int
    skipped: int
    length: int
    """Of what is not left out."""


class Sound(msgspec.Struct, frozen=True):
    """A call's whole sound. It is `complete` when every stream of it was kept to its end."""

    stretches: Sequence[Stretch]
    complete: bool

    @property
    def samples(self) -> int:
        """Of one channel."""
        return sum(stretch.silence + stretch.length for stretch in self.stretches)

    @property
    def duration_ms(self) -> int:
        """Of the file."""
        return self.samples * 1000 // SAMPLE_RATE


def segment_key(recording: CallRecording, stream: int, number: int) -> str:
    """Where a stream's segment is kept; both count up, streams from 1 and segments from 0."""
    return f"{recording.folder}/{stream}-{number}"


async def find_sound(objects: Objects, recording: CallRecording, streams: int) -> Sound:
    """What was kept of the call's first `streams` streams, in the order and at the distance in which it sounded."""
    stretches: list[Stretch] = []
    began, end, complete = 0.0, 0, True
    for stream in range(1, streams + 1):
        last = False
        async for key, segment in _segments(objects, recording, stream):
            at = segment.began_at.timestamp()
            began = began or at
            distance = round((at - began) * SAMPLE_RATE) - end
            size = len(segment.caller)
            # Two streams may overlap a little: the earlier one had not noticed yet that it was over.
            skipped = min(size, -distance) if distance < -_JOINED else 0
            stretches.append(Stretch(key, distance if distance > _JOINED else 0, skipped, size - skipped))
            end += stretches[-1].silence + stretches[-1].length
            last = segment.last
        complete = complete and last
    return Sound(stretches, complete)


async def _segments(objects: Objects, recording: CallRecording, stream: int) -> AsyncIterator[tuple[str, Segment]]:
    """A stream's segments, up to the last one: behind it, or where several are missing in a row."""
    number = missing = 0
    while missing < _MOST_MISSING:
        key = segment_key(recording, stream, number)
        number += 1
        if (segment := await _read(objects, key)) is None:
            missing += 1
            continue
        missing = 0
        yield key, segment
        if segment.last:
            return


async def wav(objects: Objects, sound: Sound) -> AsyncIterator[bytes]:
    """The file, in pieces; one segment is in memory at a time. Raises NotFound when one has gone since."""
    yield wav_header(sound.samples, CHANNELS, SAMPLE_RATE)
    for stretch in sound.stretches:
        for start in range(0, stretch.silence, _PIECE):
            yield bytes(min(_PIECE, stretch.silence - start) * CHANNELS * 2)
        segment = _DECODER.decode((await objects.get(stretch.key)).body)
        for start in range(stretch.skipped, stretch.skipped + stretch.length, _PIECE):
            legs = (segment.caller[start : start + _PIECE], segment.agent[start : start + _PIECE])
            yield np.stack([mulaw.decode(leg) for leg in legs], axis=1).astype("<i2").tobytes()


async def _read(objects: Objects, key: str) -> Segment | None:
    try:
        return _DECODER.decode((await objects.get(key)).body)
    except NotFound:
        return None
    except msgspec.MsgspecError:
        _log.error("recording.segment_broken", key=key)
        return None
