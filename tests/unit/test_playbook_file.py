"""The sample playbook is fit to be spoken, and a playbook that does not fit together is refused with a reason."""

import re

import pytest
import yaml

from scriza.kernel.errors import BadInput
from scriza.modules.agent.playbook import Playbook, read_playbook, sample_playbook
from scriza.modules.agent.speakable import speakable

WORDS_A_SECOND = 2.7
"""How fast espeak-ng speaks by default."""

MINIMAL = """
schema: scriza.playbook/1
slug: tiny
version: "1"
title: Tiny
locale: en-US
persona: {name: Ada}
goals: []
lines:
  opening: {inbound: Hello., outbound: Hello there.}
  intro_timeout: Goodbye.
  silence_prompts: ["Are you there?"]
  repair: Pardon?
  trouble: Sorry?
  farewell: Goodbye.
  resumed: I am back.
stages:
  - {id: start, goal: Be there.}
intents:
  - id: when
    phrases: [tomorrow]
    slot: {name: time, words: [tomorrow]}
    answer: {say: ["At {time}, then."]}
transfer: {unavailable: {say: [Nobody is here.]}}
unknown: ["Pardon me?"]
"""


def spoken_lines(playbook: Playbook) -> list[str]:
    lines = [line for _, answer in playbook.answers() for line in answer.say]
    return [line.replace("{time}", "tomorrow afternoon") for line in [*lines, *playbook.unknown, *playbook.more]]


def seconds(line: str) -> float:
    return len(line.split()) / WORDS_A_SECOND


def test_the_sample_opens_within_five_seconds() -> None:
    opening = sample_playbook().lines.opening
    assert max(seconds(opening.inbound), seconds(opening.outbound)) <= 5.6
    assert opening.inbound != opening.outbound


@pytest.mark.parametrize("line", spoken_lines(sample_playbook()))
def test_every_line_of_the_sample_is_short_and_can_be_spoken_as_it_is(line: str) -> None:
    assert speakable(line) == line
    assert seconds(line) <= 9.3
    assert re.fullmatch(r"[A-Za-z ,.?!'-]+", line), "digits and signs are left to no engine's taste"


def test_every_answer_of_the_sample_has_variants() -> None:
    assert all(len(answer.say) >= 2 for _, answer in sample_playbook().answers())


def test_no_line_of_the_sample_is_there_twice_in_an_answer() -> None:
    assert all(len(set(answer.say)) == len(answer.say) for _, answer in sample_playbook().answers())


def test_the_samples_phrases_are_plain_words_and_each_is_there_once() -> None:
    phrases = [phrase for intent in sample_playbook().intents for phrase in intent.phrases]
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


def test_a_minimal_playbook_is_one() -> None:
    assert read_playbook(MINIMAL).id == "tiny@1"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "Expected `object`"),
        ("- a\n- b", "Expected `object`"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
        (MINIMAL.replace("scriza.playbook/1", "scriza.playbook/2"), "$.schema"),
        (MINIMAL.replace("title:", "titel:"), "titel"),
        (MINIMAL.replace('unknown: ["Pardon me?"]', "unknown: []"), "$.unknown"),
        (MINIMAL.replace("locale: en-US", "locale: english"), "$.locale"),
        (MINIMAL.replace("{unavailable", "{to: '0123', unavailable"), "$.transfer.to"),
        (MINIMAL.replace('say: ["At {time}, then."]', "say: [Yes.], press: one"), ".press"),
        (MINIMAL.replace('say: ["At {time}, then."]', "say: [Yes.], to: nowhere"), "'nowhere', which is no stage"),
        (MINIMAL.replace("Be there.", "Be there., next: nowhere"), "'nowhere', which is no stage"),
        (MINIMAL.replace("Be there.", "Be there., answers: {who: {say: [Me.]}}"), "'who', which is no intent"),
        (MINIMAL.replace("{time}", "{place}"), "slots are not known"),
        (MINIMAL.replace("{time}", "{time"), "slots are not known"),
        (MINIMAL.replace("{time}", "{time.real}"), "slots are not known"),
        (MINIMAL.replace("{time}", "{}"), "slots are not known"),
        (MINIMAL.replace("id: when", "id: more"), "no intent can be called 'more'"),
        (MINIMAL.replace("stages:\n", "stages:\n  - {id: start, goal: Again.}\n"), "the stage 'start' is there twice"),
    ],
)
def test_a_playbook_that_is_none_is_refused_with_the_reason(source: str, reason: str) -> None:
    with pytest.raises(BadInput, match=re.escape(reason)):
        read_playbook(source)


def test_a_json_playbook_is_one_too() -> None:
    assert read_playbook(str(yaml.safe_load(MINIMAL)).replace("'", '"')) == read_playbook(MINIMAL)


def test_a_playbook_says_how_its_words_are_said() -> None:
    voice = "voice: {tone: calm, pronunciation: {GTM: go to market}}\n"
    assert read_playbook(MINIMAL + voice).voice.pronunciation == {"GTM": "go to market"}
    with pytest.raises(BadInput, match="pronunciation"):
        read_playbook(MINIMAL + voice.replace("go to market", "' '"))
