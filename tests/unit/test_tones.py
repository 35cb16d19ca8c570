"""The tones of keys, heard by a filter that was made from the recommendation and not from the tones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.audio import mulaw
from scriza.audio.tones import dial_tones
from scriza.simulator.keypad import Keypad

FRAME = 160


def heard(audio: bytes) -> str:
    keypad = Keypad()
    padded = audio + mulaw.silence(-(-len(audio) // FRAME) * 20 - len(audio) // 8 + 40)
    for start in range(0, len(padded) - FRAME + 1, FRAME):
        keypad.hear(padded[start : start + FRAME])
    return keypad.heard


def test_each_key_is_heard_as_itself() -> None:
    assert heard(dial_tones("1234567890*#ABCD")) == "1234567890*#ABCD"


def test_a_key_that_is_pressed_twice_is_heard_twice() -> None:
    assert heard(dial_tones("5555")) == "5555"


def test_pauses_last_half_a_second_and_a_second_and_are_no_keys() -> None:
    assert heard(dial_tones("1w2W3")) == "123"
    assert len(dial_tones("w")) / 8 == 500
    assert len(dial_tones("1W")) / 8 == 100 + 100 + 1000


@settings(max_examples=30, deadline=None)
@given(st.text("0123456789*#ABCDwW", min_size=1, max_size=20), st.integers(0, 159))
def test_any_keys_are_heard_wherever_they_begin_in_a_frame(keys: str, late: int) -> None:
    said = keys.replace("w", "").replace("W", "")
    assert heard(mulaw.SILENCE * late + dial_tones(keys)) == said


def test_a_pair_is_as_loud_as_receivers_want_it() -> None:
    samples = mulaw.decode(dial_tones("1")[:800]).astype(np.float64)
    full_scale = 32767**2 / 2
    dbm0 = 10 * np.log10(np.mean(samples**2) / full_scale) + 3.17
    assert dbm0 == pytest.approx(-9.0, abs=0.2)


def test_nothing_else_has_a_tone() -> None:
    with pytest.raises(KeyError):
        dial_tones("x")


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_single_tones_are_no_keys(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 4000, 8000)
    alone = 8000 * np.sin(2 * np.pi * 941 * np.arange(8000) / 8000)
    assert heard(mulaw.encode(noise.astype(np.int16))) == ""
    assert heard(mulaw.encode(alone.astype(np.int16))) == ""
