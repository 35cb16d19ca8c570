"""What of a text is said, and how places in it are kept."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, TooLarge
from scriza.modules.tts.text import LONGEST_TEXT, speakable
from scriza.ports.tts import SpokenWord


def test_an_ordinary_text_is_said_as_it_is() -> None:
    said = speakable("Hello, world: 1,500 \N{EURO SIGN}!")
    word = SpokenWord(0, 100, 6)
    assert said.text == "Hello, world: 1,500 \N{EURO SIGN}!"
    assert said.place(word) is word


def test_zero_width_and_control_characters_are_left_out_and_places_still_fit() -> None:
    text = "he\u200bllo\x07 wor\u00adld\u202e!"
    said = speakable(text)
    assert said.text == "hello world!"
    assert text[: said.place(SpokenWord(0, 1, 5)).chars] == "he\u200bllo"
    assert said.place(SpokenWord(0, 1, len(said.text))).chars == len(text)


@pytest.mark.parametrize("text", ["नमस्\u200dते", "می\u200cخواهم", "line one\nline two\tend", "\u202bمرحبا\u202c"])  # noqa: RUF001 # Arabic is meant
def test_what_shapes_words_stays(text: str) -> None:
    kept = {"\u200c", "\u200d", "\n", "\t"}
    assert kept & set(speakable(text).text) == kept & set(text)


def test_half_a_surrogate_pair_is_left_out() -> None:
    said = speakable("one \ud83d two")
    assert said.text.encode().decode() == "one  two"


@pytest.mark.parametrize("text", ["A." * 2500, "a" * 5000, "word" * 1000 + " end", "\N{GRINNING FACE}" * 4000 + "a"])
def test_no_run_without_a_space_is_longer_than_an_engine_can_take(text: str) -> None:
    said = speakable(text)
    assert max(map(len, said.text.split())) <= 80
    assert said.text.replace(" ", "") == text.replace(" ", "")
    assert said.place(SpokenWord(0, 1, len(said.text))).chars == len(text)


def test_the_longest_text_is_taken_and_one_more_character_is_not() -> None:
    assert speakable("a " * (LONGEST_TEXT // 2)).text
    with pytest.raises(TooLarge):
        speakable("a" * (LONGEST_TEXT + 1))


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_refused_or_made_sayable_with_places_in_order(text: str) -> None:
    try:
        said = speakable(text)
    except BadInput:
        assert not any(character.isalnum() for character in text)
        return
    places = [said.place(SpokenWord(0, 0, count)).chars for count in range(len(said.text) + 1)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, len(text))
    said.text.encode()
    assert {unicodedata.category(each) for each in said.text} & {"Cs", "Co", "Cn"} == set()
