"""Who took a call of ours, by the words."""

import pytest

from scriza.modules.telephony.turns.callee import CalleeOptions, Taker, asks_to_wait, who_speaks


@pytest.mark.parametrize(
    "words", ["", "Hello?", "Smith and sons, good morning", "Yes, who is this?", "Can I help you?"]
)
def test_whoever_says_nothing_that_gives_a_machine_away_is_a_person(words: str) -> None:
    assert who_speaks(words) is Taker.PERSON


@pytest.mark.parametrize(
    "words",
    [
        "Please say your name and why you're calling.",
        "Hi, if you record your name and reason for calling, I'll see if this person is available.",
        "The person you are calling is using a screening service.",
        "state your name and the purpose of your call",
    ],
)
def test_a_service_that_asks_for_name_and_reason_screens(words: str) -> None:
    assert who_speaks(words) is Taker.SCREENING


@pytest.mark.parametrize(
    "words",
    [
        "You have reached Ann. Please leave your name and number after the tone.",
        "We can't take your call right now",
        "This mailbox is full",
        "Please leave a short message at the beep",
    ],
)
def test_a_machine_asks_for_a_message_and_not_for_a_reason(words: str) -> None:
    assert who_speaks(words) is Taker.MACHINE


def test_who_was_screened_is_asked_to_wait() -> None:
    assert asks_to_wait("Thanks. Please stay on the line.")
    assert asks_to_wait("One moment please")
    assert not asks_to_wait("Hello, this is Ann")


def test_a_short_greeting_is_answered_sooner_than_a_long_one() -> None:
    options = CalleeOptions()
    assert options.silence_needed(2_500, "hello") == 500
    assert options.silence_needed(2_501, "hello") == 2_000


def test_who_asks_for_our_name_waits_for_it() -> None:
    assert CalleeOptions().silence_needed(4_000, "Please say your name and why you are calling.") == 500
