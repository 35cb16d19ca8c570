import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza_adapters.whisper.engine import spread
from scriza_adapters.whisper.guards import believable, loop_starts


class Said(msgspec.Struct):
    text: str
    avg_logprob: float = -0.2
    no_speech_prob: float = 0.05
    compression_ratio: float = 1.1


def test_what_the_model_is_sure_of_is_believed() -> None:
    assert believable(Said(" How much does it cost?"))
    assert believable(Said(" How much does it cost?", no_speech_prob=0.9))


@pytest.mark.parametrize(
    "said",
    [
        Said(""),
        Said(" ..."),
        Said(" Thank you for watching!"),
        Said(" Subtitles by the Amara.org community"),
        Said(" you", avg_logprob=-0.9, no_speech_prob=0.8),
        Said(" mumble", avg_logprob=-1.5),
        Said(" no no no no no no no no no no", compression_ratio=3.1),
    ],
)
def test_what_whisper_makes_up_is_not_believed(said: Said) -> None:
    assert not believable(said)


def test_a_prompt_that_comes_back_is_not_believed_and_one_phrase_of_it_is() -> None:
    hint = "who are you, what does it do, is my data safe"
    assert not believable(Said(" Who are you? What does it do? Is my data safe?"), hint)
    assert believable(Said(" Is my data safe?"), hint)


def test_a_loop_is_found_where_it_has_gone_round_once() -> None:
    assert loop_starts("I want to see to see to see to see it".split()) == 4
    assert loop_starts(["No.", "no,", "NO", "no"]) == 1
    assert loop_starts("no no no I said no".split()) is None
    assert loop_starts([]) is None


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_cutting_a_loop_leaves_no_loop(words: list[str]) -> None:
    kept = words[: loop_starts(words)]
    assert loop_starts(kept) is None
    assert bool(kept) == bool(words)


@given(st.text("ab é.", max_size=60), st.floats(0, 600), st.floats(0, 30))
def test_spread_words_fill_their_time_in_order(text: str, start: float, length: float) -> None:
    words = spread(text, start, start + length, 0.5)
    assert [word.word for word in words] == text.split()
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(start - 0.001 <= time <= start + length + 0.001 for time in times)
