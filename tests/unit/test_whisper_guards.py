"""What Whisper makes up is not taken for what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza_adapters.whisper.guards import Said, believable, loop_starts
from scriza_adapters.whisper.hints import Hints


def said(text: str, avg_logprob: float = -0.2, no_speech_prob: float = 0.05) -> Said:
    return Said(text, avg_logprob, no_speech_prob)


def test_what_the_model_is_sure_of_is_believed() -> None:
    assert believable(said(" How much does it cost?"))
    assert believable(said(" How much does it cost?", no_speech_prob=0.9))


@pytest.mark.parametrize(
    "made_up",
    [
        said(""),
        said(" ..."),
        said(" Thank you for watching!"),
        said(" Subtitles by the Amara.org community"),
        said(" you", avg_logprob=-0.9, no_speech_prob=0.8),
        said(" mumble", avg_logprob=-1.5),
        said(" no no no no no no no no no no no no no no no no no no no"),
    ],
)
def test_what_whisper_makes_up_is_not_believed(made_up: Said) -> None:
    assert not believable(made_up)


@pytest.mark.parametrize("text", [" Thank you.", " Bye.", " you", " Okay."])
def test_what_is_said_as_often_as_made_up_is_believed_where_somebody_seems_to_speak(text: str) -> None:
    assert believable(said(text))
    assert not believable(said(text, no_speech_prob=0.5))
    assert not believable(said(text, avg_logprob=-1.0))


def test_a_prompt_that_comes_back_is_not_believed_and_one_phrase_of_it_is() -> None:
    hint = Hints("who are you, what does it do, is my data safe", "")
    assert not believable(said(" Who are you? What does it do? Is my data safe?"), hint)
    assert believable(said(" Is my data safe?"), hint)
    assert not believable(said(" Is my data safe?", no_speech_prob=0.5), hint)


def test_the_prompt_behind_hot_words_is_not_believed_alone_either() -> None:
    for hint in (Hints(words, "I am calling about Paper Kite.") for words in ("Paper Kite, Sunny", "Sunny", "")):
        assert not believable(said(hint.prompt), hint)
        assert not believable(said(hint.text), hint)
        assert believable(said(" I am calling about it."), hint)


def test_the_only_phrase_that_was_expected_is_believed() -> None:
    assert believable(said(" How much does it cost per month?"), Hints("how much does it cost per month", ""))


def test_a_loop_is_found_where_it_has_gone_round_once() -> None:
    assert loop_starts("I want to see to see to see to see it".split()) == 4
    assert loop_starts(["No.", "no,", "NO", "no"] * 2) == 1
    assert loop_starts([]) is None


@pytest.mark.parametrize(
    "text",
    [
        "no no no I said no",
        "No, no, no, no, I do not want it",
        "it is 0 5 5 5 5 5 1",
        "my number is 98 98 98 98 12",
        "9 8 9 8 9 8 9 8 7 7",
        "nine nine nine nine",
    ],
)
def test_what_people_do_repeat_is_no_loop(text: str) -> None:
    assert loop_starts(text.split()) is None


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_cutting_a_loop_leaves_no_loop(words: list[str]) -> None:
    kept = words[: loop_starts(words)]
    assert loop_starts(kept) is None
    assert bool(kept) == bool(words)
