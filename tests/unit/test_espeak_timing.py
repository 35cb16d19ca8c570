"""How word events become words with times, and which voice reads what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.ports.tts import SpokenWord
from scriza_adapters.espeak.timing import WordTimer, closing_pause_ms, segments
from scriza_adapters.espeak.voices import NEUTRAL, manner, voice_for

RATE = 1000


def tone(samples: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(samples, 5000, np.int16)


def timed(text: str, audio: int, begins: list[tuple[int, int]]) -> list[SpokenWord]:
    timer = WordTimer(text, RATE)
    words = [word for _, cut in timer.push(tone(audio), begins) for word in cut]
    return words + timer.flush()[1]


def test_a_word_ends_where_the_next_begins_and_the_last_one_covers_the_text() -> None:
    assert timed("one two.", 500, [(0, 0), (4, 200)]) == [SpokenWord(0, 200, 3), SpokenWord(200, 500, 8)]


def test_the_pause_after_a_word_does_not_belong_to_it() -> None:
    timer = WordTimer("one, two", RATE)
    speech = np.concatenate([tone(300), np.zeros(150, np.int16), tone(200)])
    [(audio, [word])] = list(timer.push(speech, [(0, 0), (5, 450)]))
    assert (len(audio), word) == (450, SpokenWord(0, 300, 4))


def test_several_events_in_one_written_word_are_one_word() -> None:
    assert timed("pay $1,500 now", 900, [(0, 0), (4, 100), (5, 200), (9, 400), (7, 500), (11, 700)]) == [
        SpokenWord(0, 100, 3),
        SpokenWord(100, 700, 10),
        SpokenWord(700, 900, 14),
    ]


def test_a_word_that_is_joined_to_the_one_before_is_said_with_it() -> None:
    assert timed("I am fine", 400, [(0, 0), (5, 200)]) == [SpokenWord(0, 200, 4), SpokenWord(200, 400, 9)]


def test_scripts_without_spaces_count_characters() -> None:
    words = timed("你好，世界", 400, [(0, 0), (3, 200), (4, 300)])  # noqa: RUF001 # the full-width comma is meant
    assert [word.chars for word in words] == [3, 4, 5]


def test_a_text_in_which_no_word_was_told_is_one_word() -> None:
    timer = WordTimer("?", RATE)
    assert list(timer.push(tone(80), [])) == []
    audio, words = timer.flush()
    assert (len(audio), words) == (80, [SpokenWord(0, 80, 1)])


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(-5, 80), st.integers(0, 3000), st.integers(0, 400)), max_size=30),
)
def test_no_stream_of_events_makes_times_run_backwards_or_loses_audio(
    text: str, told: list[tuple[int, int, int]]
) -> None:
    timer = WordTimer(text, RATE)
    words: list[SpokenWord] = []
    passed = fed = 0
    for position, sample, size in told:
        fed += size
        for audio, cut in timer.push(tone(size), [(position, sample)]):
            passed += len(audio)
            words += cut
    rest, cut = timer.flush()
    words += cut
    assert passed + len(rest) == fed
    assert all(0 <= word.start_ms <= word.end_ms and 0 <= word.chars <= len(text) for word in words)
    assert [word.chars for word in words] == sorted({word.chars for word in words})


@given(st.text(max_size=2000))
def test_the_parts_of_a_text_are_the_text(text: str) -> None:
    parts = list(segments(text))
    assert "".join(part for _, part in parts) == text
    assert all(text[start:].startswith(part) and 0 < len(part) <= 300 for start, part in parts)


def test_a_long_text_is_cut_after_a_sentence() -> None:
    text = "This is a sentence of some length. " * 20
    assert all(part.endswith(". ") for _, part in segments(text))


@pytest.mark.parametrize(("text", "pause"), [("Well,", 100), ("Yes.", 180), ('He said "no!"', 180), ("and", 20)])
def test_a_clause_is_followed_by_the_pause_that_its_punctuation_asks_for(text: str, pause: int) -> None:
    assert closing_pause_ms(text) == pause


@pytest.mark.parametrize(
    ("voice_id", "locale", "voice"),
    [
        ("", "en-US", "gmw/en-US"),
        ("", "en_us", "gmw/en-US"),
        ("", "en-IN", "gmw/en"),
        ("", "en-GB", "gmw/en-GB-x-rp"),
        ("", "hi-IN", "inc/hi"),
        ("", "es-MX", "roa/es-419"),
        ("", "de-AT", "gmw/de"),
        ("", "xx-YY", "gmw/en-US"),
        ("", "", "gmw/en-US"),
        ("en-us+F3", "hi-IN", "gmw/en-US+f3"),
        ("gmw/en-US+nobody", "hi-IN", "gmw/en-US"),
        ("21m00Tcm4TlvDq8ikWAM", "hi-IN", "inc/hi"),
        ("../../etc/passwd", "en-US", "gmw/en-US"),
    ],
)
def test_the_voice_is_the_one_asked_for_or_the_one_of_the_locale(voice_id: str, locale: str, voice: str) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `embedded` is not installed")
    assert voice_for(voice_id, locale) == voice


def test_a_tone_without_an_entry_sounds_neutral() -> None:
    assert manner("sardonic") == NEUTRAL
    assert manner(" Friendly ") != NEUTRAL
