import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scriza.audio.mulaw import Samples
from scriza_adapters.sphinx.front_end import MODEL_RATE, PAD_S, prepared, speech_parts

RATE = 8000


def tone(seconds: float, amplitude: int = 5000) -> Samples:
    time = np.arange(int(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * 300 * time)).astype(np.int16)


def pause(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.int16)


def test_a_long_pause_divides_and_a_short_one_does_not() -> None:
    line = np.concatenate([pause(0.5), tone(0.6), pause(0.2), tone(0.4), pause(0.6), tone(0.5), pause(0.5)])
    parts = [(start / RATE, end / RATE) for start, end in speech_parts(line, RATE, 0.35)]
    assert np.allclose(parts, [(0.4, 1.8), (2.2, 2.9)], atol=0.03)


def test_the_hiss_of_the_line_is_not_speech() -> None:
    hiss = np.random.default_rng(1).normal(0, 60, 3 * RATE).astype(np.int16)
    line = hiss.copy()
    line[RATE : 2 * RATE] += tone(1.0)
    assert np.allclose(speech_parts(line, RATE, 0.35), [(0.9 * RATE, 2.1 * RATE)], atol=200)
    assert speech_parts(pause(2), RATE, 0.35) == []


def test_a_click_is_not_speech() -> None:
    assert speech_parts(np.concatenate([pause(0.5), tone(0.02), pause(0.5)]), RATE, 0.35) == []


def test_quiet_and_loud_speech_reach_the_model_at_one_level() -> None:
    quiet, loud = (np.frombuffer(prepared(tone(1, level), RATE), np.int16).astype(float) for level in (200, 20_000))
    assert abs(20 * np.log10(quiet.std() / loud.std())) < 0.5


def test_what_the_model_gets_is_padded_with_noise_and_always_the_same() -> None:
    pcm = prepared(tone(1), RATE)
    samples = np.frombuffer(pcm, np.int16).astype(float)
    assert len(samples) == int((1 + 2 * PAD_S) * MODEL_RATE)
    edge = samples[: int(0.2 * MODEL_RATE)]
    assert 20 < edge.std() < 400
    assert prepared(tone(1), RATE) == pcm


@given(arrays.arrays(np.int16, st.integers(0, 20_000)), st.sampled_from([8000, 16_000]))
def test_any_samples_can_be_prepared_and_divided(samples: Samples, rate: int) -> None:
    assert len(prepared(samples, rate)) >= int(2 * PAD_S * MODEL_RATE)
    parts = speech_parts(samples, rate, 0.35)
    assert all(0 <= start < end <= len(samples) for start, end in parts)
