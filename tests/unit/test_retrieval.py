"""Records are found by what the caller's words are about, and taken for what is meant only when there is no doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.agent.guide import Guide
from scriza.modules.agent.retrieval import Bm25, Document
from tests.by_the_playbook import talk
from tests.unit.test_guide import playbook

FOUND = Bm25(
    [
        Document("hours", [("what are your opening hours", 3), ("we are open from nine to five", 1)]),
        Document("parking", [("where can i park my car", 3), ("there is parking behind the house", 1)]),
        Document("cancel", [("how do i cancel my subscription", 3), ("you can cancel in the settings", 1)]),
        Document("price", [("what does the subscription cost", 3), ("the price is ten dollars", 1)]),
        Document("car", [("do you insure a car", 3), ("we insure houses and cars", 1)]),
    ]
)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("when do you open", ["hours"]),
        ("is there parking for my car", ["parking"]),
        ("the cost of a subscription", ["price"]),
        ("cars", ["car", "parking"]),
        ("subscriptions", ["cancel", "price"]),
        ("what is the", []),
        ("elephants", []),
        ("", []),
    ],
)
def test_the_best_are_those_that_share_the_rarest_words_in_the_weightiest_fields(query: str, keys: list[str]) -> None:
    assert FOUND.best(query, 5) == keys


def test_no_more_are_found_than_asked_for() -> None:
    assert FOUND.best("cars", 1) == ["car"]
    assert Bm25([]).best("cars", 3) == []


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("so are you open", "hours"),
        ("i want to cancel", "cancel"),
        ("i do not want to cancel", ""),
        ("about my subscription", ""),
        ("can i cancel the elephant that lives in my garden", ""),
        ("what is it", ""),
        ("", ""),
    ],
)
def test_what_is_meant_without_doubt_has_most_of_the_words_and_no_rival(query: str, key: str) -> None:
    assert FOUND.surely(query) == key


@given(st.text())
def test_any_query_finds_only_what_there_is(query: str) -> None:
    keys = {"hours", "parking", "cancel", "price", "car"}
    assert set(FOUND.best(query, 3)) <= keys
    assert FOUND.surely(query) in {"", *keys}


LED = Guide(
    playbook(
        faqs=[
            {"id": "hours", "q": ["what are your opening hours"], "a": ["From nine to five."]},
            {"id": "parking", "q": ["where can i park my car"], "a": ["Behind the house."]},
        ],
        objections=[{"id": "far", "phrases": ["you are too far away"], "response": ["We come to you."]}],
        stages=[{"id": "start", "goal": "Talk.", "ask": [{"id": "who", "slot": "who", "question": ["Who is it?"]}]}],
    )
)


@pytest.mark.parametrize(
    ("utterance", "said"),
    [
        ("hey when are you open on mondays", "Pardon me?"),
        ("when are you open", "From nine to five. Who is it?"),
        ("can one park there", "Behind the house. Who is it?"),
        ("that is really far", "We come to you. Who is it?"),
    ],
)
def test_without_a_model_a_question_is_answered_in_whatever_words_it_is_asked(utterance: str, said: str) -> None:
    assert talk(LED, [utterance])[0].said == said


def test_the_answer_to_a_question_of_ours_is_not_taken_for_one_of_the_callers() -> None:
    *_, last = talk(LED, ["hello", "parking services"])
    assert last.conversation.slots == {"who": "parking services"}
