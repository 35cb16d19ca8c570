"""What the recogniser makes of audio before it listens: whole pieces, silence, and what is no audio at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput
from scriza.modules.asr.cutting import LONGEST_S, cut
from scriza.modules.asr.sound import decoded, is_silent, refuse_other_files

RATE = 8000


def noise(seconds: float, level: int) -> Samples:
    return (np.random.default_rng(7).standard_normal(int(seconds * RATE)) * level).astype(np.int16)


@given(st.integers(0, int(LONGEST_S * RATE)))
def test_what_fits_is_not_cut(length: int) -> None:
    assert cut(np.ones(length, np.int16), RATE) == length


@given(st.floats(24.2, 27.8))
def test_a_long_piece_is_cut_in_its_pause(pause_s: float) -> None:
    samples = noise(40, 3000)
    start = int(pause_s * RATE)
    samples[start : start + int(0.15 * RATE)] //= 100
    assert start <= cut(samples, RATE) <= start + int(0.15 * RATE)


@given(st.integers(29, 60), st.sampled_from([8000, 16_000, 44_100]))
def test_a_piece_is_never_longer_than_the_longest_and_never_empty(seconds: int, rate: int) -> None:
    piece = cut(np.zeros(seconds * rate, np.int16), rate)
    assert (LONGEST_S - 4) * rate <= piece <= LONGEST_S * rate


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        (noise(0, 1000), True),
        (noise(0.05, 1000), True),
        (noise(3, 10), True),
        (noise(3, 100), False),
        (np.concatenate([noise(3, 3), noise(0.1, 500), noise(3, 3)]), False),
        (mulaw.decode(mulaw.silence(1000)), True),
    ],
    ids=["nothing", "a click", "a quiet line", "a hissing line", "one short sound", "digital silence"],
)
def test_silence_is_what_nobody_can_have_spoken_in(samples: Samples, silent: bool) -> None:
    assert is_silent(samples, RATE) is silent


@given(st.binary(min_size=1, max_size=64))
def test_any_phone_audio_that_is_no_text_is_taken(audio: bytes) -> None:
    speech = b"\xff\x7e\xfe\x80" * 2 + audio  # past where files have their signatures
    refuse_other_files(speech)
    assert len(decoded(speech, "mulaw")) == len(speech)


@pytest.mark.parametrize(
    "body",
    [
        *(b"hello there", b'{"audio": ""}', b"\x89PNG....", b"ID3\x04\x00", b"\x1f\x8b\x08"),
        *(
            b"\x00\x00\x00\x1cftypM4A \x00",
            b"FORM\x00\x00\x10\x00AIFF",
            b".snd\x00\x00\x00\x18",
            b"#!AMR\n\x3c\x91\x17",
        ),
    ],
)
def test_what_is_something_else_is_named(body: bytes) -> None:
    with pytest.raises(BadInput, match=r"this is .*; send mu-law, 16-bit PCM or a WAV file"):
        refuse_other_files(body)


def test_text_in_any_language_is_not_audio() -> None:
    readme = "# Scriza — a voice\n\nइंटरनेट पर आवाज़ · “quoted”\n" * 300
    for text in (readme, readme[1:], "\ufeff" + readme, "é" * 5000, "é"):
        with pytest.raises(BadInput, match="this is text"):
            refuse_other_files(text.encode())


@pytest.mark.parametrize(
    "audio",
    [b"\xff\x7f" * 8000, mulaw.silence(1000), bytes(16_000), b"\xc3\xa9\x00" * 100, b"\xd5\x55\xd5\xd5" * 50],
    ids=["an idle line", "silence", "pcm silence", "text with control characters", "quiet"],
)
def test_audio_is_not_taken_for_text(audio: bytes) -> None:
    refuse_other_files(audio)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3000))
def test_noise_on_the_line_is_not_taken_for_text(seed: int, level: int) -> None:
    samples = (np.random.default_rng(seed).standard_normal(800) * level).astype(np.int16)
    refuse_other_files(mulaw.encode(samples))
