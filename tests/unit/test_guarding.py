"""What a model writes reaches the voice only as the playbook allows it, whatever pieces it comes in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.agent.guarding import Guard
from scriza.modules.agent.rules import Rules
from scriza.ports.playbook import Guardrail

NO_PROMISES = Guardrail(
    id="p", rule="Promise nothing.", patterns=["guarantee*", "money back"], instead=["I can't say."]
)


def spoken(text: str, *rules: Guardrail, pieces: list[str] | None = None, instead: str = "I can't say.") -> list[str]:
    guard = Guard(Rules(rules), lambda rule: instead)
    return [said for piece in pieces or [text] for said in guard.push(piece)] + guard.flush()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It helps. We guarantee success. Shall we?", "It helps. I can't say. Shall we?"),
        ("Well, as I told you before, and as you know, it is GUARANTEED to work. Shall we?", "I can't say. Shall we?"),
        ("You get your money, back to you.", "I can't say."),
        ("You get your **money** back.", "I can't say."),
        ("We guarantee it. And we guarantee that. Bye now, my friend.", "I can't say. Bye now, my friend."),
        ("The guard is nice. Money is back in fashion.", "The guard is nice. Money is back in fashion."),
    ],
)
def test_a_sentence_that_a_rule_forbids_is_replaced_before_any_of_it_is_spoken(written: str, said: str) -> None:
    assert " ".join(spoken(written, NO_PROMISES)) == said
    assert " ".join(spoken("", NO_PROMISES, pieces=list(written))) == said


def test_a_forbidden_sentence_is_left_out_when_there_is_nothing_to_say_instead() -> None:
    assert spoken("It helps you. We guarantee it.", NO_PROMISES, instead="") == ["It helps you."]


@given(st.text(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_it_does_not_matter_how_the_text_is_cut(text: str, cuts: list[int]) -> None:
    pieces = [text[start:end] for start, end in pairwise([0, *sorted(cuts), len(text)])]
    assert spoken("", NO_PROMISES, pieces=pieces) == spoken(text, NO_PROMISES)


@given(st.text(alphabet="abc guarantee. !?,*#<>\U0001f600", max_size=400))
def test_no_forbidden_word_markup_or_picture_reaches_the_voice(text: str) -> None:
    said = " ".join(spoken(text, NO_PROMISES))
    assert "guarantee" not in said.casefold().split()
    assert not set("*#<>\U0001f600").intersection(said)


def test_an_answer_that_grows_too_long_ends_with_a_sentence() -> None:
    sentence = "This is one of very many sentences that nobody on the phone has asked for. "
    said = spoken(sentence * 30)
    assert sum(len(text.split()) for text in said) <= 100
    assert said[-1].endswith(".")


def test_an_answer_without_an_end_is_cut_off() -> None:
    assert sum(len(text.split()) for text in spoken("and on it goes " * 200)) <= 120


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("sue", "I will sue you", True),
        ("sue", "the issue is", False),
        ("legal*", "is it legally fine", True),
        ("take* drugs", "who takes   drugs", True),
        ("c++ (new)", "we use c++ (new) here", True),
        (".*", "anything", False),
    ],
)
def test_patterns_are_whole_words_of_which_a_star_is_any_ending(pattern: str, text: str, found: bool) -> None:
    rule = Guardrail(id="r", kind="redirect", rule="No.", patterns=[pattern])
    assert bool(Rules([rule]).redirecting(text)) == found


def test_what_has_to_be_said_is_due_until_it_was() -> None:
    rules = Rules([Guardrail(id="vat", kind="require", rule="Say plus VAT.", patterns=["plus vat"])])
    assert [rule.id for rule in rules.unkept("It costs ten.")] == ["vat"]
    assert rules.unkept("Ten, plus VAT.") == []
