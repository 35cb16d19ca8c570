"""The playbook that leads until a team brings its own is fit to be spoken: every line, as it is written."""

import re
from collections.abc import Iterator

import pytest

from scriza.modules.agent.beginning import plan
from scriza.modules.agent.builtin import built_in
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.speakable import speakable
from scriza.modules.agent.texts import filled
from scriza.ports.agent import CallFacts, HangUp
from scriza.ports.memory import CallerMemory, Remembered
from scriza.ports.playbook import Answer
from tests.by_the_playbook import talk
from tests.playbooks import PAPER_KITE

WORDS_A_SECOND = 2.7
"""How fast espeak-ng speaks by default."""
GUIDE = Guide(PAPER_KITE)
KNOWN = {"time": "tomorrow afternoon", "name": "Ada", "agent_name": "Sunny", "agent_company": "Paper Kite"}


def answers() -> Iterator[Answer]:
    yield from (answer for stage in PAPER_KITE.stages for answer in stage.answers.values())
    yield from (intent.answer for intent in (*PAPER_KITE.intents, *built_in("en").intents))
    yield from (Answer(say=objection.response) for objection in PAPER_KITE.objections)
    yield from (Answer(say=faq.a) for faq in PAPER_KITE.faqs)
    yield PAPER_KITE.transfer.unavailable


def spoken_lines() -> list[str]:
    lines = [line for answer in answers() for line in GUIDE.texts(answer.say)]
    closing = PAPER_KITE.closing
    lines += GUIDE.texts([*PAPER_KITE.lines.unknown, *PAPER_KITE.lines.more, *closing.success, *closing.no_interest])
    lines.append(GUIDE.text(PAPER_KITE.opening.returning))
    stock = built_in("en")
    return [filled(line, KNOWN) for line in [*lines, *stock.noted, *stock.wind_up]]


def seconds(line: str) -> float:
    return len(line.split()) / WORDS_A_SECOND


def test_it_opens_within_six_seconds() -> None:
    inbound, outbound = GUIDE.text(PAPER_KITE.opening.inbound), GUIDE.text(PAPER_KITE.opening.outbound)
    assert max(seconds(inbound), seconds(outbound)) <= 5.6
    assert inbound != outbound


def test_who_calls_again_is_greeted_by_the_name_they_told_and_a_stranger_as_ever() -> None:
    told = CallerMemory(calls=1, known=[Remembered("r1", "fact", "name", "Ada")])
    inbound, outbound = CallFacts("CA2", "inbound"), CallFacts("CA2", "outbound")
    for facts, first in ((inbound, PAPER_KITE.opening.inbound), (outbound, PAPER_KITE.opening.outbound)):
        assert plan(GUIDE, "", facts, told).lines.opening.startswith("Hello again, Ada. It's Sunny, the AI assistant")
        assert plan(GUIDE, "", facts, CallerMemory(calls=1)).lines.opening == first
        assert plan(GUIDE, "", facts, CallerMemory()).lines.opening == first


def test_a_goodbye_after_a_booked_demo_is_answered_by_the_closing_of_a_success() -> None:
    *_, last = talk(GUIDE, ["can i book a demo", "tomorrow afternoon works", "thank you goodbye"])
    assert last.said in PAPER_KITE.closing.success
    assert last.acts == [HangUp()]


@pytest.mark.parametrize("line", spoken_lines())
def test_every_line_is_short_and_can_be_spoken_as_it_is(line: str) -> None:
    assert speakable(line) == line
    assert seconds(line) <= 9.3
    assert re.fullmatch(r"[A-Za-z ,.?!'-]+", line), "digits and signs are left to no engine's taste"


def test_every_answer_has_variants_and_no_line_twice() -> None:
    assert all(len(answer.say) == len(set(map(str, answer.say))) >= 2 for answer in answers())


def test_what_callers_say_is_plain_words_and_each_is_there_once() -> None:
    phrases = [phrase for meaning in GUIDE.meanings.values() for phrase in meaning.phrases]
    assert len(set(phrases)) == len(phrases)
    assert all(re.fullmatch(r"[a-z ]+", phrase) for phrase in phrases)
    assert {
        "how much does it cost per month",
        "that is too expensive",
        "i am not interested",
        "who are you",
        "what does it do",
        "yes please",
        "no thank you",
        "tomorrow afternoon works",
        "can i book a demo",
        "send me an email",
        "i am busy right now",
        "thank you goodbye",
        "do you have a free trial",
        "is my data safe",
        "can i talk to a person",
        "how are you",
    } <= set(phrases)
