"""A whole clip, and the forms in which it can be had."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.audio.wav import encode_wav
from scriza.ports.tts import AudioFormat, SpokenWord

_PIECE = 400 * mulaw.BYTES_PER_MS


class Form(NamedTuple):
    """How a clip is made and kept."""

    format: AudioFormat
    sample_rate: int
    extension: str
    content_type: str


FORMS: dict[AudioFormat, Form] = {
    "mulaw": Form("mulaw", mulaw.SAMPLE_RATE, "ulaw", "audio/basic"),
    "mp3": Form("mp3", 22_050, "mp3", "audio/mpeg"),
    "wav": Form("wav", 22_050, "wav", "audio/wav"),
}


class Clip(msgspec.Struct, frozen=True):
    """A whole clip. `duration` is in seconds."""

    audio: bytes
    words: Sequence[SpokenWord]
    duration: float


class Made(NamedTuple):
    """A piece of a clip: mu-law for the phone line, int16 for the forms that are encoded as a whole."""

    audio: bytes
    words: Sequence[SpokenWord]


def made(form: Form, samples: Samples, words: Sequence[SpokenWord]) -> Made:
    """The piece of these samples."""
    return Made(mulaw.encode(samples) if form.format == "mulaw" else samples.tobytes(), words)


def joined(form: Form, pieces: Sequence[Made]) -> Clip:
    """The clip of these pieces. Takes up to a second for minutes of MP3: not for the event loop's thread then."""
    audio = b"".join(piece.audio for piece in pieces)
    words = [word for piece in pieces for word in piece.words]
    if form.format == "mulaw":
        return Clip(audio, words, len(audio) / form.sample_rate)
    samples = np.frombuffer(audio, np.int16)
    if form.format == "wav":
        return Clip(encode_wav(samples, form.sample_rate), words, len(samples) / form.sample_rate)
    from scriza.audio.mp3 import encode_mp3, mp3_samples  # loads FFmpeg, which takes a third of a second

    return Clip(encode_mp3(samples, form.sample_rate), words, mp3_samples(len(samples)) / form.sample_rate)


def cut(clip: Clip) -> Iterator[Made]:
    """A clip for the phone line in pieces, each with the words that end in it."""
    words, told = clip.words, 0
    for start in range(0, len(clip.audio), _PIECE):
        audio = clip.audio[start : start + _PIECE]
        last = start + len(audio) == len(clip.audio)
        first = told
        while told < len(words) and (last or words[told].end_ms * mulaw.BYTES_PER_MS <= start + len(audio)):
            told += 1
        yield Made(audio, words[first:told])
