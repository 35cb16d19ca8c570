"""The vendor's audio, and the characters told with it, as they come."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples


class Chunk(NamedTuple):
    """A piece of the answer, with the characters that were told with it and their times in seconds of the clip."""

    audio: bytes
    characters: Sequence[str] = ()
    starts: Sequence[float] = ()
    ends: Sequence[float] = ()


class _Alignment(msgspec.Struct):
    characters: list[str]
    character_start_times_seconds: list[float]
    character_end_times_seconds: list[float]


class _Line(msgspec.Struct):
    audio_base64: bytes | None = None
    alignment: _Alignment | None = None


_line = msgspec.json.Decoder(_Line)


def chunk_of(received: bytes) -> Chunk:
    """A line of the HTTP stream with times. Raises ValueError for what is none."""
    line = _line.decode(received)
    audio = line.audio_base64 or b""
    if line.alignment is None:
        return Chunk(audio)
    times = line.alignment
    return _checked(
        Chunk(audio, times.characters, times.character_start_times_seconds, times.character_end_times_seconds)
    )


class Alignment(msgspec.Struct, rename="camel"):
    """Times in milliseconds since the start of the message's own audio."""

    chars: list[str]
    char_start_times_ms: list[int]
    char_durations_ms: list[int]

    def chunk(self, audio: bytes, began_s: float) -> Chunk:
        """With the times since the clip's start. Raises ValueError when the lists do not fit each other."""
        starts = [began_s + start / 1000 for start in self.char_start_times_ms]
        ends = [start + each / 1000 for start, each in zip(starts, self.char_durations_ms, strict=True)]
        return _checked(Chunk(audio, self.chars, starts, ends))


def _checked(chunk: Chunk) -> Chunk:
    if not len(chunk.characters) == len(chunk.starts) == len(chunk.ends):
        raise ValueError("as many times as characters are expected")
    return chunk


class Decoder:
    """Samples of mu-law or of 16-bit audio that is cut anywhere."""

    def __init__(self, sample_rate: int) -> None:
        self.samples = 0
        self._rate = sample_rate
        self._odd = b""

    @property
    def milliseconds(self) -> int:
        """How much there was by now."""
        return self.samples * 1000 // self._rate

    def push(self, audio: bytes) -> Samples:
        """The samples that are complete with this audio."""
        if self._rate == mulaw.SAMPLE_RATE:
            decoded = mulaw.decode(audio)
        else:
            audio = self._odd + audio
            whole = len(audio) // 2 * 2
            decoded, self._odd = np.frombuffer(audio[:whole], "<i2"), audio[whole:]
        self.samples += len(decoded)
        return decoded
