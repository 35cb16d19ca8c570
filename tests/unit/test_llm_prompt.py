"""Persona and goals in the system message, and what the rest of a turn becomes."""

import pytest

from scriza.modules.llm.prompt import system_text, with_system
from scriza.ports.llm import Message, Persona, ToolCall, Usage
from scriza.ports.tokens import estimated_tokens, estimated_usage

SUNNY = Persona("Sunny", "AI sales assistant", "Paper Kite", "friendly", "en-IN", ["warm and direct"])


def test_the_system_message_says_who_speaks_and_what_for() -> None:
    assert system_text(SUNNY, ["book_demo", "collect_email"]) == (
        "You are Sunny, AI sales assistant at Paper Kite. Your tone is friendly. "
        "Speak the language of the locale en-IN. Style: warm and direct. "
        "Your goals, the most important first: book demo, collect email."
    )


def test_what_is_not_known_is_left_out() -> None:
    assert system_text(Persona(), []) == "Speak the language of the locale en-US."
    assert system_text(Persona(company="Paper Kite"), []).startswith("You are an assistant at Paper Kite.")


def test_where_nothing_is_told_there_is_no_system_message() -> None:
    nobody = Persona(locale="")
    assert system_text(nobody, []) == ""
    assert with_system([Message("system", ""), Message("user", "hi")], nobody, []) == [Message("user", "hi")]
    assert with_system([Message("system", "Be kind.")], nobody, []) == [Message("system", "Be kind.")]


def test_the_callers_own_system_messages_follow_in_the_same_one() -> None:
    told = [Message("system", "Be kind."), Message("system", ""), Message("system", "Be brief."), Message("user", "hi")]
    system, user = with_system(told, SUNNY, [])
    assert system.content == system_text(SUNNY, []) + "\n\nBe kind.\n\nBe brief."
    assert user == Message("user", "hi")


def test_a_system_message_in_mid_conversation_stays_where_it_is() -> None:
    told = [Message("user", "hi"), Message("system", "The caller is angry."), Message("user", "hello?")]
    assert with_system(told, SUNNY, [])[1:] == told


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("\N{GRINNING FACE}", 1)])
def test_four_bytes_are_about_a_token(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_the_estimate_counts_messages_and_tool_calls() -> None:
    told = [Message("user", "abcd"), Message("assistant", tool_calls=[ToolCall("c", "name", '{"a":1}')])]
    assert estimated_usage(told, "abcdefgh") == Usage(5 + 4 + 3, 2, 14)
