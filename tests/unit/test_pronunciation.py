"""Words written one way and said another: what is said, and what of the original has been said by then."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scriza.kernel.errors import TooLarge
from scriza.modules.tts.pronunciation import Pronunciation
from scriza.modules.tts.text import speakable
from scriza.ports.tts import SpokenWord

TABLE = Pronunciation(
    {
        "GTM": "go to market",
        "Scriza": "skreeza",
        "Scriza Pro": "skreeza professional",
        "e.g.": "say",
        ".NET": "dot net",
        "Maßplan": "mass plan",
    }
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Our GTM plan", "Our go to market plan"),
        ("our gtm, Gtm.", "our go to market, go to market."),
        ("Scriza Pro and Scriza", "skreeza professional and skreeza"),
        ("GTMs and Scrizas stay", "GTMs and Scrizas stay"),
        ("Plans, e.g. ours", "Plans, say ours"),
        (".net and GTM.NET, Scriza .Net", "dot net and go to market.NET, skreeza dot net"),
        ("Scriza Professional, Scriza  Pro", "skreeza Professional, skreeza  Pro"),
        ("Unser maßplan", "Unser mass plan"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_whole_words_and_phrases_are_said_as_the_table_says(text: str, said: str) -> None:
    assert speakable(text, TABLE).text == said


def test_a_word_counts_as_said_when_all_that_is_said_for_it_was() -> None:
    said = speakable("Our GTM is on", TABLE)
    ends = [3, 6, 9, 16, 19, 22]
    assert [said.place(SpokenWord(0, 1, end)).chars for end in ends] == [3, 4, 4, 7, 10, 13]


def test_characters_that_cannot_be_said_are_left_out_beside_the_table() -> None:
    said = speakable("a\u200b GTM\u200b!", TABLE)
    assert said.text == "a go to market!"
    assert said.place(SpokenWord(0, 1, len(said.text))).chars == 8


def test_what_gets_too_long_by_the_table_is_refused() -> None:
    with pytest.raises(TooLarge):
        speakable("GTM " * 1000, TABLE)


@pytest.mark.parametrize("table", [{"": "x"}, {"x": " "}, {"x": "y" * 201}, {str(n): "x" for n in range(2001)}])
def test_a_table_that_makes_no_sense_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="pronunciation"):
        Pronunciation(table)


@example("scriza")
@example("Our GTM")
@given(st.text(st.sampled_from("GTM scriza pro.,é\u200b"), min_size=1, max_size=60))
def test_what_was_said_never_goes_back_and_ends_with_all_of_it(text: str) -> None:
    if not any(map(str.isalnum, text)):
        return
    said = speakable(text, TABLE)
    told = [said.place(SpokenWord(0, 1, chars)).chars for chars in range(len(said.text) + 1)]
    assert told == sorted(told)
    assert told[-1] == len(text)
