"""Words of callers that mean much the same are put together."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.memory.reports.books import Unanswerable
from scriza.modules.memory.reports.likeness import groups

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def said(*words: str) -> list[Unanswerable]:
    return [Unanswerable(f"CA{n}", each, "pitch", NOON - timedelta(minutes=n)) for n, each in enumerate(words)]


def put_together(*words: str) -> list[set[str]]:
    return [{each.words for each in group} for group in groups(said(*words))]


def test_the_same_question_in_other_words_is_one_group_and_the_largest_comes_first() -> None:
    assert put_together(
        "can it work offline",
        "do you integrate with Tally",
        "is there a Tally integration",
        "can I use it offline",
        "does this integrate with tally?",
    ) == [
        {"do you integrate with Tally", "does this integrate with tally?", "is there a Tally integration"},
        {"can it work offline", "can I use it offline"},
    ]


def test_endings_do_not_set_words_apart() -> None:
    assert len(put_together("what is the price", "your prices", "tell me about pricing")) == 1


def test_what_shares_only_words_that_everybody_says_stays_apart() -> None:
    assert len(put_together("can you do that in Hindi", "can you do that on a Sunday")) == 2


def test_words_of_listening_alone_are_compared_as_they_are() -> None:
    assert put_together("yeah okay", "okay yeah", "no") == [{"yeah okay", "okay yeah"}, {"no"}]


def test_the_most_typical_words_speak_for_a_group() -> None:
    found = groups(said("integrate tally accounts", "integrate tally", "integrate tally", "integrate tally"))
    assert [len(group) for group in found] == [4]
    assert found[0][0].words == "integrate tally"


def test_of_nothing_there_are_no_groups() -> None:
    assert groups([]) == []


@given(st.lists(st.text(alphabet="abc ?!\u2019", min_size=1, max_size=12), max_size=30))
def test_every_utterance_is_in_one_group_and_the_grouping_does_not_change(words: list[str]) -> None:
    given_ = said(*words)
    found = groups(given_)
    assert Counter(each.call_id for group in found for each in group) == Counter(each.call_id for each in given_)
    assert found == groups(given_)
    assert [len(group) for group in found] == sorted((len(group) for group in found), reverse=True)
