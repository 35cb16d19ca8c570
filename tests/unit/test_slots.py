"""What the answer to a question tells, by the type of what was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.agent.introductions import introduced
from scriza.modules.agent.slots import heard_value, value_of
from scriza.ports.playbook import Variable

PLANS = ["basic", "team plan", "team"]


def variable(type_: str, **fields: object) -> Variable:
    return Variable(name="it", type=type_, **fields)


@pytest.mark.parametrize(
    ("type_", "utterance", "value"),
    [
        ("int", "about twelve of us", "12"),
        ("int", "Oh, twenty five I think", "25"),
        ("int", "a hundred and twenty", "120"),
        ("int", "two thousand three hundred", "2300"),
        ("int", "maybe 1,200 people", "1200"),
        ("int", "a dozen", "12"),
        ("int", "three lakh", "300000"),
        ("int", "none", "0"),
        ("int", "I don't know", ""),
        ("bool", "yes we do", "yes"),
        ("bool", "no, not at all", "no"),
        ("bool", "not really", "no"),
        ("bool", "who wants to know", ""),
        ("date", "how about tomorrow then", "tomorrow"),
        ("date", "the day after tomorrow", "the day after tomorrow"),
        ("date", "on the 5th of May please", "the 5th of may"),
        ("date", "next Tuesday works", "next tuesday"),
        ("date", "whenever you like", ""),
        ("time", "at half past two", "half past two"),
        ("time", "3:30 p.m. is fine", "3 30 pm"),
        ("time", "tomorrow at eleven", "tomorrow at eleven"),
        ("time", "in the morning", "the morning"),
        ("time", "I would rather not", ""),
        ("phone", "it's four one five, double five five oh one two three", "4155550123"),
        ("phone", "+44 20 7946 0958", "+442079460958"),
        ("phone", "nine one one", ""),
        ("email", "ada dot lovelace at example dot com", "ada.lovelace@example.com"),
        ("email", "it is Ada@Example.com.", "ada@example.com"),
        ("email", "a d a at mail dash box dot co dot uk", "ada@mail-box.co.uk"),
        ("email", "I have none at home", ""),
        ("money", "about 500 dollars", "500 dollars"),
        ("money", "fifty thousand rupees", "50000 rupees"),
        ("money", "not much", ""),
        ("str", "My name is Ada Lovelace.", "Ada Lovelace"),
        ("str", "well, it's for a cleaning", "for a cleaning"),
        ("str", "  ", ""),
    ],
)
def test_an_answer_is_understood_by_the_type_of_what_was_asked(type_: str, utterance: str, value: str) -> None:
    assert value_of(variable(type_), utterance) == value


@pytest.mark.parametrize(
    ("utterance", "value"),
    [("the team plan please", "team plan"), ("team", "team"), ("BASIC!", "basic"), ("teamwork", ""), ("none", "")],
)
def test_of_an_enums_values_the_one_that_is_said_in_full_counts(utterance: str, value: str) -> None:
    assert value_of(variable("enum", values=PLANS), utterance) == value


@pytest.mark.parametrize(
    ("type_", "digits", "value"), [("int", "25#", "25"), ("phone", "4155550123", "4155550123"), ("int", "*1", "")]
)
def test_keys_are_an_answer_where_digits_are(type_: str, digits: str, value: str) -> None:
    assert value_of(variable(type_), "", digits) == value


@given(st.sampled_from(["str", "int", "bool", "date", "time", "phone", "email", "money", "enum"]), st.text())
def test_any_words_have_a_bounded_value_or_none(type_: str, text: str) -> None:
    assert len(value_of(variable(type_, values=PLANS), text)) <= 200


@pytest.mark.parametrize(
    ("type_", "told", "value"),
    [
        ("int", "12", "12"),
        ("int", "about twelve", "12"),
        ("int", "many", ""),
        ("email", "ada@example.com", "ada@example.com"),
        ("email", "ada", ""),
        ("enum", "Team plan", "team plan"),
        ("enum", "platinum", ""),
        ("date", "12 May 2027", "12 May 2027"),
        ("str", " a\n spreadsheet", "a spreadsheet"),
        ("str", "", ""),
        ("str", "x" * 201, ""),
        ("str", "a\x00b", ""),
    ],
)
def test_what_a_model_has_heard_must_be_able_to_be_the_value(type_: str, told: str, value: str) -> None:
    assert heard_value(variable(type_, values=PLANS), told) == value


@pytest.mark.parametrize(
    ("utterance", "name"),
    [
        ("my name is ada lovelace", "Ada Lovelace"),
        ("Hi, my name's Jean-Luc McCoy, and I have a toothache.", "Jean-Luc McCoy"),
        ("my name is ada and i would like a cleaning", "Ada"),
        ("this is grace hopper speaking", "Grace Hopper"),
        ("hello this is ada calling about my appointment", "Ada"),
        ("my name is not important", ""),
        ("my name is on the list", ""),
        ("this is not a good time", ""),
        ("who is this speaking", ""),
        ("is this a person speaking", ""),
        ("my name is", ""),
        ("", ""),
    ],
)
def test_who_says_their_name_has_told_it(utterance: str, name: str) -> None:
    assert introduced(utterance).get("name", "") == name


@given(st.text())
def test_any_words_tell_a_short_name_or_none(text: str) -> None:
    assert len(introduced(f"my name is {text}").get("name", "").split()) <= 3
