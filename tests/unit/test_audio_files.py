"""Audio files of any format become samples."""

import numpy as np
import pytest

from scriza.audio.files import decode_file
from scriza.audio.levels import dbfs
from scriza.audio.mp3 import encode_mp3
from scriza.audio.mulaw import Samples
from scriza.audio.wav import encode_wav
from scriza.kernel.errors import BadInput


def tone(sample_rate: int, seconds: float = 1.0) -> Samples:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * sample_rate)) / sample_rate)).astype(np.int16)


@pytest.mark.parametrize(
    "data",
    [
        encode_wav(tone(8000), 8000),
        encode_wav(tone(44_100), 44_100),
        encode_wav(np.stack([tone(16_000), tone(16_000)], axis=1), 16_000),
        encode_mp3(tone(22_050), 22_050),
    ],
    ids=["phone", "CD", "stereo", "MP3"],
)
def test_any_file_becomes_mono_samples_of_its_length_and_level(data: bytes) -> None:
    samples = decode_file(data, 8000)
    assert (samples.dtype, samples.ndim) == (np.int16, 1)
    assert len(samples) == pytest.approx(8000, abs=250)
    assert dbfs(samples) == pytest.approx(dbfs(tone(8000)), abs=1)


@pytest.mark.parametrize("data", [b"", b"hello", b"RIFF" + bytes(100)])
def test_what_is_no_audio_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode_file(data, 8000)
