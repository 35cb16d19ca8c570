"""Codecs and levels: mu-law bit by bit against G.711, files by what another program reads from them."""

import contextlib
import hashlib
import io
import math
from collections.abc import Iterator

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scriza.audio import mulaw
from scriza.audio.levels import FLOOR_DBFS, dbfs
from scriza.audio.mp3 import decode_mp3, encode_mp3, mp3_samples
from scriza.audio.mulaw import Samples
from scriza.audio.resample import Resampler, resample
from scriza.audio.wav import decode_wav, encode_wav
from scriza.kernel.errors import BadInput

ALL = np.arange(-32768, 32768).astype(np.int16)
samples = arrays(np.int16, st.integers(0, 400))


def g711_values() -> Iterator[tuple[int, int]]:
    """Of Table 2a/G.711: for each character signal, from all ones down, its decision value and its decoder's value."""
    decision = 0
    for number in range(128):
        width = 2 << (number // 16) if number else 1
        yield decision, decision + width // 2
        decision += width


def sine(seconds: float, rate: int, frequency: float = 440.0) -> Samples:
    return (np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * frequency / rate) * 12000).astype(np.int16)


def test_every_code_decodes_to_the_value_of_the_g711_table() -> None:
    for number, (_, value) in enumerate(g711_values()):
        positive, negative = mulaw.decode(bytes([0xFF - number, 0x7F - number]))
        assert (positive, negative) == (4 * value, -4 * value)  # the table counts in 14 bits, samples have 16


def test_every_sample_is_encoded_by_the_decision_values_of_the_g711_table() -> None:
    decisions = np.array([decision for decision, _ in g711_values()])
    wide = ALL.astype(np.int32) >> 2
    number = np.searchsorted(decisions, np.abs(wide), side="right") - 1
    expected = (np.where(wide < 0, 0x7F, 0xFF) - number).astype(np.uint8).tobytes()
    assert mulaw.encode(ALL) == expected


def test_the_tables_are_those_of_audioop() -> None:
    encoded, decoded = mulaw.encode(ALL), mulaw.decode(bytes(range(256))).astype("<i2").tobytes()
    assert hashlib.sha256(encoded).hexdigest() == "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a"
    assert hashlib.sha256(decoded).hexdigest() == "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827"


def test_silence_is_amplitude_zero() -> None:
    assert mulaw.silence(20) == b"\xff" * 160
    assert not mulaw.decode(mulaw.silence(20)).any()


@given(samples)
def test_what_was_encoded_once_loses_nothing_more(given_samples: Samples) -> None:
    heard = mulaw.decode(mulaw.encode(given_samples))
    assert np.array_equal(mulaw.decode(mulaw.encode(heard)), heard)


@given(st.binary(max_size=400))
def test_every_code_survives_but_negative_zero(codes: bytes) -> None:
    assert mulaw.encode(mulaw.decode(codes)) == codes.replace(b"\x7f", b"\xff")


def test_louder_is_never_encoded_as_quieter() -> None:
    heard = mulaw.decode(mulaw.encode(ALL)).astype(np.int32)
    assert (np.diff(heard) >= 0).all()
    amplitude = np.abs(ALL.astype(np.int32))
    assert (np.abs(heard - ALL) <= np.where(amplitude < 32636, amplitude / 32 + 8, 644)).all()


@given(samples)
def test_a_sample_is_a_byte_and_a_strided_view_is_as_good_as_a_copy(given_samples: Samples) -> None:
    assert len(mulaw.encode(given_samples)) == len(given_samples)
    assert mulaw.encode(given_samples[::2]) == mulaw.encode(given_samples[::2].copy())


@pytest.mark.parametrize("length", [1, 575, 576, 577, 1152, 1153, 22050, 30870])
def test_an_mp3_plays_exactly_as_long_as_it_says(length: int) -> None:
    data = encode_mp3(sine(length / 22050, 22050)[:length], 22050)
    with av.open(io.BytesIO(data)) as container:
        assert container.duration == pytest.approx(mp3_samples(length) / 22050 * 1e6, abs=1)
        frames = list(container.decode(audio=0))
    assert sum(frame.samples for frame in frames) == mp3_samples(length)
    assert {(frame.sample_rate, frame.layout.name) for frame in frames} == {(22050, "mono")}
    assert length <= mp3_samples(length) < length + 576


def test_an_mp3_sounds_like_what_went_in() -> None:
    tone = sine(0.5, 22050)
    heard, rate = decode_mp3(encode_mp3(tone, 22050))
    assert (rate, len(heard)) == (22050, mp3_samples(len(tone)))
    assert np.corrcoef(tone.astype(float), heard[: len(tone)].astype(float))[0, 1] > 0.99


@given(st.binary(max_size=300))
def test_what_is_no_mp3_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode_mp3(data)


@given(samples, st.sampled_from([8000, 16000, 22050, 48000]))
def test_a_wav_file_is_read_back_as_it_was(given_samples: Samples, rate: int) -> None:
    read, read_rate = decode_wav(encode_wav(given_samples, rate))
    assert read_rate == rate
    assert np.array_equal(read, given_samples)


def test_a_stereo_wav_file_is_read_as_the_mean_of_its_channels() -> None:
    stereo = np.stack([np.full(100, 1000), np.full(100, 3000)], axis=1).astype(np.int16)
    read, _ = decode_wav(encode_wav(stereo, 8000))
    assert (read == 2000).all()


@given(st.binary(max_size=200))
def test_what_is_no_wav_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode_wav(data)


@pytest.mark.parametrize("cut_off", [1, 2, 3])
def test_a_stereo_wav_file_whose_last_sample_is_not_whole_is_refused(cut_off: int) -> None:
    with pytest.raises(BadInput):
        decode_wav(encode_wav(np.zeros((100, 2), np.int16), 8000)[:-cut_off])


@given(st.integers(0, 60), st.binary(max_size=60))
def test_a_damaged_wav_file_is_refused_or_read_but_never_breaks(place: int, damage: bytes) -> None:
    good = encode_wav(sine(0.01, 8000), 8000)
    with contextlib.suppress(BadInput):
        decode_wav(good[:place] + damage + good[place + len(damage) :])


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_resampling_keeps_the_length_in_time(rate: int) -> None:
    assert len(resample(sine(1.0, 22050), 22050, rate)) == pytest.approx(rate, abs=1)


@pytest.mark.parametrize("fast", [False, True])
def test_a_stream_is_resampled_to_the_same_length_whatever_the_pieces(fast: bool) -> None:
    tone = sine(1.0, 8000)
    stream = Resampler(8000, 16000, fast=fast)
    parts = [stream.push(tone[start : start + 160]) for start in range(0, 8000, 160)]
    assert len(np.concatenate([*parts, stream.flush()])) == pytest.approx(16000, abs=2)


def test_fast_resampling_holds_nothing_back_that_could_be_heard() -> None:
    stream = Resampler(8000, 16000, fast=True)
    assert len(stream.push(sine(0.02, 8000))) >= 2 * 160 - 8


def test_levels_are_relative_to_full_scale() -> None:
    assert dbfs(np.full(100, -32768, np.int16)) == pytest.approx(0)
    assert dbfs(sine(1.0, 8000)) == pytest.approx(20 * math.log10(12000 / 32768 / math.sqrt(2)), abs=0.01)
    assert dbfs(np.zeros(100, np.int16)) == dbfs(np.zeros(0, np.int16)) == FLOOR_DBFS
