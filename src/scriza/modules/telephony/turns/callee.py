"""Who took a call that we placed, by what they say first, and when our opening may begin.

A person says "hello?" and waits: little speech, then silence. An answering machine speaks longer, and its last words
come right before the beep. A screening service asks who is calling and why, and connects the person, or does not.
"""

import re
from enum import Enum

import msgspec


class Taker(Enum):
    """Who seems to speak."""

    PERSON = "person"
    SCREENING = "screening"
    MACHINE = "machine"


class CalleeOptions(msgspec.Struct, frozen=True):
    """How long a call that we placed waits for what; all in milliseconds."""

    first_words: int = 2_000
    """Silence after which the opening begins unasked."""
    greeting: int = 2_500
    """A person's first words are no longer than this."""
    pause: int = 500
    """Silence that ends the first words of a person."""
    long_pause: int = 2_000
    """Silence that ends a longer greeting: a machine pauses between its sentences."""
    screened: int = 25_000
    """From our introduction until the person, who is being asked, must have said something."""
    beep: int = 3_500
    """Silence after the greeting of a machine in which its beep has come, should nobody tell when."""
    machine: int = 60_000
    """From when the carrier has noticed a machine until it must have told that its greeting is over."""

    def silence_needed(self, speech_ms: int, words: str) -> int:
        """How long a silence ends what the callee says first; who asks for our name has come to the end."""
        short = speech_ms <= self.greeting or who_speaks(words) is Taker.SCREENING
        return self.pause if short else self.long_pause


PHRASES = (
    "hello",
    "please say your name and why you are calling",
    "state your name and the reason for your call",
    "please stay on the line",
    "please leave a message after the tone",
)
"""What a recogniser has to know beforehand of callees' first words."""

_MACHINE = re.compile(
    r"\b(after|at) the (tone|beep)\b|\bleave (a|me a|your|us a) (short |brief )?(message|name and number)\b"
    r"|\bvoice ?mail\b|\b(mail ?box)\b|\bcan(no|')?t (come to the phone|take your call)\b"
)
_SCREENING = re.compile(
    r"\b(say|state|tell us|tell me|record|give) your name\b"
    r"|\b(why you('re| are)|(reason|purpose) (for|of) (your|the|you)) call(ing)?\b"
    r"|\bscreen(ing|ed)\b|\bsee if (this|the) person is available\b"
)
_WAIT = re.compile(
    r"\b(stay on|hold|holding) (the line|on|please)\b|\bplease (hold|wait)\b|\b(one|just a|a) (moment|second|minute)\b"
    r"|\bthank you\b|\bthanks\b|\bconnecting\b"
)


def who_speaks(words: str) -> Taker:
    """By the words of a callee's first turn; whoever says nothing that gives a machine away is a person."""
    words = words.lower()
    if _MACHINE.search(words):
        return Taker.MACHINE
    return Taker.SCREENING if _SCREENING.search(words) else Taker.PERSON


def asks_to_wait(words: str) -> bool:
    """Whether these words, after our introduction, only say that the person is being asked."""
    return _WAIT.search(words.lower()) is not None
