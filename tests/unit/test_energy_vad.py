"""Hearing by loudness alone, and knowing the background."""

import numpy as np
import pytest

from scriza.audio import mulaw
from scriza.audio.levels import NoiseFloor
from scriza.modules.telephony.vad import EnergyVad, Onset, SpeechGate

RATE = mulaw.SAMPLE_RATE


def noise(seconds: float, dbfs: float, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * 32768 * 10 ** (dbfs / 20)


def onsets_ms(line: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[int]:
    audio = mulaw.encode(np.clip(line, -32768, 32767).astype(np.int16))
    vad, found = EnergyVad(), []
    gate = SpeechGate(vad.window_ms)
    for start in range(0, len(audio), 160):
        for window in vad.push(audio[start : start + 160]):
            event = gate.push(*window)
            if isinstance(event, Onset):
                found.append(event.at_ms)
    return found


@pytest.mark.parametrize("background", [-90.0, -62.0, -45.0])
def test_a_burst_well_above_the_background_is_heard_where_it_begins(background: float) -> None:
    line = noise(6.0, background)
    line[4 * RATE : 4 * RATE + RATE // 2] += noise(0.5, -22.0, seed=2)
    found = onsets_ms(line)
    assert len(found) == 1
    assert abs(found[0] - 4000) <= 32


def test_a_steady_background_is_not_speech() -> None:
    assert onsets_ms(noise(10.0, -45.0)) == []


def test_a_background_that_rises_is_taken_for_speech_for_two_seconds_at_most() -> None:
    vad = EnergyVad()
    line = np.concatenate([noise(4.0, -62.0), noise(8.0, -40.0)])
    windows = vad.push(mulaw.encode(line.astype(np.int16)))
    loud = [index * vad.window_ms for index, (probability, _) in enumerate(windows) if probability >= 0.5]
    assert loud
    assert max(loud) < 4000 + 2500


def test_what_nobody_can_hear_is_not_speech_however_silent_the_line_is() -> None:
    line = np.concatenate([np.zeros(4 * RATE), noise(1.0, -58.0)])
    assert onsets_ms(line) == []


def test_the_cutting_of_the_audio_does_not_matter() -> None:
    audio = mulaw.encode(noise(1.0, -30.0).astype(np.int16))
    whole = EnergyVad().push(audio)
    vad = EnergyVad()
    pieces = [window for start in range(0, len(audio), 77) for window in vad.push(audio[start : start + 77])]
    assert pieces == whole
    assert len(whole) == 1000 // vad.window_ms


def test_the_floor_follows_down_at_once_and_up_after_two_seconds() -> None:
    floor = NoiseFloor(20)
    assert floor.follow(-60.0) == -60.0
    rising = [floor.follow(-30.0) for _ in range(150)]
    assert rising[90] == -60.0
    assert rising[-1] == -30.0


def test_the_floor_has_a_bottom() -> None:
    assert NoiseFloor(20, lowest_dbfs=-64.0).follow(-96.0) == -64.0
