"""From windows to onsets and offsets: hysteresis, gaps, durations and levels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.telephony.vad import GateOptions, Offset, Ongoing, Onset, SpeechGate

W = 32


def told(gate: SpeechGate, *probabilities: float, level: float = -20.0) -> list[Onset | Ongoing | Offset | None]:
    return [gate.push(probability, level) for probability in probabilities]


def test_one_window_above_the_upper_threshold_is_an_onset_at_its_beginning() -> None:
    assert told(SpeechGate(W), 0.0, 0.49, 0.5) == [None, None, Onset(2 * W, -20.0)]


def test_speech_goes_on_down_to_the_lower_threshold() -> None:
    gate = SpeechGate(W, GateOptions(report_ms=10_000))
    assert told(gate, 0.9, *[0.36] * 20)[1:] == [None] * 20
    assert gate.speaking


def test_an_offset_comes_after_enough_silence_and_is_dated_back_to_where_the_voice_ended() -> None:
    gate = SpeechGate(W, GateOptions(min_silence_ms=100, report_ms=10_000))
    assert told(gate, 0.0, 0.9, 0.9, 0.1, 0.1, 0.1)[-2:] == [None, None]
    assert gate.push(0.1, -60.0) == Offset(
        at_ms=3 * W, speech_ms=2 * W, silence_ms=4 * W, level_dbfs=pytest.approx(-20)
    )
    assert not gate.speaking


def test_a_gap_within_speech_is_part_of_it() -> None:
    gate = SpeechGate(W, GateOptions(min_silence_ms=128, report_ms=10_000))
    events = told(gate, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1)
    assert events == [Onset(0, -20.0), *[None] * 7, Offset(5 * W, 5 * W, 4 * W, pytest.approx(-20))]


def test_doubtful_windows_after_silence_began_count_as_silence() -> None:
    gate = SpeechGate(W, GateOptions(min_silence_ms=96, report_ms=10_000))
    assert isinstance(told(gate, 0.9, 0.1, 0.4, 0.4)[-1], Offset)


def test_a_cough_of_one_window_is_an_onset_and_a_short_offset() -> None:
    events = [event for event in told(SpeechGate(W), 0.9, *[0] * 6) if event]
    assert events == [Onset(0, -20.0), Offset(W, W, 6 * W, pytest.approx(-20))]


def test_while_speech_lasts_its_duration_is_told_regularly() -> None:
    events = told(SpeechGate(W), *[0.9] * 10)
    assert [event.speech_ms for event in events if isinstance(event, Ongoing)] == [96, 192, 288]


def test_the_level_is_that_of_the_voiced_windows_alone() -> None:
    gate = SpeechGate(W)
    told(gate, 0.9, 0.9, level=-20.0)
    ended = told(gate, *[0.0] * 6, level=-70.0)[-1]
    assert isinstance(ended, Offset)
    assert ended.level_dbfs == pytest.approx(-20.0)


def test_levels_are_averaged_as_power() -> None:
    gate = SpeechGate(W, GateOptions(report_ms=2 * W))
    gate.push(0.9, -10.0)
    loud_and_faint = gate.push(0.9, -60.0)
    assert isinstance(loud_and_faint, Ongoing)
    assert loud_and_faint.level_dbfs == pytest.approx(-13.0, abs=0.02)


def test_digital_silence_taken_for_speech_has_a_level_too() -> None:
    assert told(SpeechGate(W), 0.9, level=-96.0) == [Onset(0, -96.0)]


@given(st.lists(st.floats(0, 1), max_size=300))
def test_onsets_and_offsets_alternate_and_never_overlap(probabilities: list[float]) -> None:
    gate = SpeechGate(W)
    edges = [event for event in told(gate, *probabilities) if isinstance(event, Onset | Offset)]
    assert all(isinstance(event, Onset) == (index % 2 == 0) for index, event in enumerate(edges))
    times = [event.at_ms for event in edges]
    assert times == sorted(times)
    for onset, offset in zip(edges[::2], edges[1::2], strict=False):
        assert isinstance(offset, Offset)
        assert offset.at_ms - onset.at_ms == offset.speech_ms >= W
