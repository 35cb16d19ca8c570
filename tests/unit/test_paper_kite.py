"""The playbook that leads until a team brings its own is fit to be spoken: every line, as it is written."""

import re
from collections.abc import Iterator

import pytest

from scriza.modules.agent.builtin import built_in
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.speakable import speakable
from scriza.modules.agent.texts import filled
from scriza.ports.playbook import Answer
from tests.playbooks import PAPER_KITE

WORDS_A_SECOND = 2.7
"""How fast espeak-ng speaks by default."""
GUIDE = Guide(PAPER_KITE)
KNOWN = {"time": "tomorrow afternoon", "agent_name": "Sunny", "agent_company": "Paper Kite"}


def answers() -> Iterator[Answer]:
    yield from (answer for stage in PAPER_KITE.stages for answer in stage.answers.values())
    yield from (intent.answer for intent in (*PAPER_KITE.intents, *built_in("en").intents))
    yield from (Answer(say=objection.response) for objection in PAPER_KITE.objections)
    yield from (Answer(say=faq.a) for faq in PAPER_KITE.faqs)
    yield PAPER_KITE.transfer.unavailable


def spoken_lines() -> list[str]:
    lines = [line for answer in answers() for line in GUIDE.texts(answer.say)]
    lines += [*GUIDE.texts([*PAPER_KITE.lines.unknown, *PAPER_KITE.lines.more, *PAPER_KITE.closing.no_interest])]
    stock = built_in("en")
    return [filled(line, KNOWN) for line in [*lines, *stock.noted, *stock.wind_up]]


def seconds(line: str) -> float:
    return len(line.split()) / WORDS_A_SECOND


def test_it_opens_within_six_seconds() -> None:
    inbound, outbound = GUIDE.text(PAPER_KITE.opening.inbound), GUIDE.text(PAPER_KITE.opening.outbound)
    assert max(seconds(inbound), seconds(outbound)) <= 5.6
    assert inbound != outbound


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
