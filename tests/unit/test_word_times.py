"""Words and their times, from aligned characters or by guess."""

from hypothesis import given
from hypothesis import strategies as st

from scriza.ports.tts import SpokenWord
from scriza_adapters.word_times import AlignedWords, GuessedWords, written_words


def aligned(text: str, characters: str, pieces: int = 3) -> list[SpokenWord]:
    """Words of a text whose `characters` sound for 100 ms each, told in pieces."""
    words, told = AlignedWords(text), list[SpokenWord]()
    for start in range(0, len(characters), pieces):
        piece = characters[start : start + pieces]
        begins = [(start + place) / 10 for place in range(len(piece))]
        told += words.push(list(piece), begins, [begin + 0.1 for begin in begins])
    return told + words.rest(len(characters) * 100)


def test_a_word_is_told_with_its_last_character() -> None:
    words = AlignedWords("ab cd")
    assert words.push(["a"], [0.0], [0.1]) == []
    assert words.push(["b", " ", "c"], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]) == [SpokenWord(0, 200, 2)]
    assert not words.complete()
    assert words.push(["d"], [0.4], [0.5]) == [SpokenWord(300, 500, 5)]
    assert words.complete()
    assert words.rest(900) == []


def test_characters_that_the_text_does_not_have_are_passed_over() -> None:
    assert [word.chars for word in aligned("one two", "#one~ _two")] == [3, 7]


def test_a_word_that_is_not_aligned_is_said_with_the_next() -> None:
    assert [word.chars for word in aligned("one & two", "onetwo")] == [3, 9]


def test_what_is_not_aligned_at_the_end_is_said_by_the_end() -> None:
    assert aligned("one \N{WAVING HAND SIGN}", "one ") == [SpokenWord(0, 300, 3), SpokenWord(300, 400, 5)]


@given(st.text(min_size=1, max_size=80), st.text(max_size=80), st.integers(1, 9))
def test_no_alignment_makes_words_run_backwards(text: str, characters: str, pieces: int) -> None:
    words = aligned(text, characters, pieces)
    assert [word.chars for word in words] == sorted({word.chars for word in words})
    assert all(0 <= word.start_ms <= word.end_ms for word in words)
    assert not words or words[-1].chars <= len(text)


@given(st.text(min_size=1, max_size=80), st.integers(1, 20_000), st.integers(1, 30))
def test_guessed_words_are_in_order_and_end_with_the_clip(text: str, length_ms: int, steps: int) -> None:
    guess = GuessedWords(text)
    words: list[SpokenWord] = []
    for step in range(1, steps + 1):
        words += guess.until(length_ms * step // steps)
    words += guess.rest(length_ms)
    edges = [edge for word in words for edge in (word.start_ms, word.end_ms)]
    assert edges == sorted(edges)
    assert [word.chars for word in words] == sorted({word.chars for word in words})
    if written_words(text):
        assert (words[-1].end_ms, words[-1].chars) == (length_ms, len(text))
