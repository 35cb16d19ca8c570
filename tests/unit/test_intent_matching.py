"""What callers mean, by the sample playbook: words as people say them and as a recogniser writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.agent.guide import Guide
from scriza.modules.agent.matching import slot_value, words
from scriza.ports.playbook import Stage
from tests.playbooks import PAPER_KITE

GUIDE = Guide(PAPER_KITE)
MATCHER, STAGES, MEANINGS = GUIDE.matcher, GUIDE.stages, list(GUIDE.meanings.values())
TIME = GUIDE.meanings["time"]


def meant(utterance: str, stage: Stage = STAGES["pitch"]) -> str:
    intent = MATCHER.match(utterance, stage)
    return intent.id if intent else ""


@pytest.mark.parametrize(
    ("stage", "utterance", "intent"),
    [
        ("pitch", "ok thank you bye", "goodbye"),
        ("pitch", "i do not understand you", ""),
        ("pitch", "I'm sorry, what was the price again?", "price"),
        ("pitch", "so what would that cost me", "price"),
        ("pitch", "is there any kind of trial", "trial"),
        ("pitch", "could I try it for free first", "trial"),
        ("pitch", "that sounds pretty expensive to me", "expensive"),
        ("pitch", "that's way too much", "expensive"),
        ("pitch", "we're not interested thanks", "not_interested"),
        ("pitch", "I don't need that", "not_interested"),
        ("pitch", "no I don't want a demo", "not_interested"),
        ("pitch", "sure let's do it", "yes"),
        ("pitch", "yeah that would be great", "yes"),
        ("pitch", "yes", "yes"),
        ("pitch", "yep", "yes"),
        ("pitch", "okay", "yes"),
        ("pitch", "uh yeah sure", "yes"),
        ("pitch", "nope", "no"),
        ("pitch", "no", "no"),
        ("pitch", "no thanks", "no"),
        ("pitch", "nah not really", "no"),
        ("pitch", "yes but how much is it", "price"),
        ("pitch", "no tell me about security first", "safety"),
        ("booking", "how about wednesday at ten", "time"),
        ("booking", "Thursday morning would be good.", "time"),
        ("booking", "the afternoon", "time"),
        ("booking", "tomorrow", "time"),
        ("booking", "tomorrow afternoon works", "time"),
        ("booking", "next week", "time"),
        ("booking", "any time on friday", "time"),
        ("callback", "call me tomorrow at 3 p.m.", "time"),
        ("pitch", "I already use something else", "other_tool"),
        ("pitch", "we have quickbooks already", ""),
        ("pitch", "can I speak to a human please", "person"),
        ("pitch", "are you a real person", "identity"),
        ("pitch", "are you a robot", "identity"),
        ("pitch", "is this a machine", "identity"),
        ("pitch", "who am I speaking with", ""),
        ("pitch", "what exactly do you do", "product"),
        ("pitch", "what's this about", "product"),
        ("pitch", "how does that work", "product"),
        ("pitch", "I am driving right now", "busy"),
        ("pitch", "this is a bad time", "busy"),
        ("pitch", "can you call back later", "busy"),
        ("pitch", "can you repeat that please", "repeat"),
        ("pitch", "sorry what did you say", "repeat"),
        ("pitch", "hello", "hello"),
        ("pitch", "hello can you hear me", "hello"),
        ("pitch", "hey how are you doing", "how_are_you"),
        ("pitch", "hang on a second", ""),
        ("pitch", "one moment please", "wait"),
        ("pitch", "let me think about it", "think"),
        ("pitch", "I need to talk to my partner first", "think"),
        ("pitch", "goodbye", "goodbye"),
        ("pitch", "thanks a lot have a nice day", "goodbye"),
        ("pitch", "thank you", "thanks"),
        ("pitch", "thank you that's helpful", "thanks"),
        ("pitch", "remove me from your list", "stop_calling"),
        ("pitch", "stop calling me", "stop_calling"),
        ("pitch", "don't call me again", "stop_calling"),
        ("pitch", "I am not interested, please stop calling me", "stop_calling"),
        ("pitch", "it is too expensive and don't call me again", "stop_calling"),
        ("pitch", "how much is it? no, just take me off your list", "stop_calling"),
        ("pitch", "don't ever call here again", "stop_calling"),
        ("pitch", "is my bank on your list", "bank"),
        ("pitch", "please email me the details", "email"),
        ("pitch", "can you send me something in writing", "email"),
        ("pitch", "can I cancel at any time", "cancel"),
        ("pitch", "is there a contract or commitment", "cancel"),
        ("pitch", "does it integrate with my accounting software", "bank"),
        ("pitch", "I'd like to see a demo", "demo"),
        ("pitch", "book a demo for me", "demo"),
        ("pitch", "can we set up a meeting", "demo"),
        ("pitch", "is my customer data secure with you", "safety"),
        ("pitch", "purple elephants", ""),
        ("pitch", "the weather is lovely", ""),
        ("pitch", "a", ""),
        ("pitch", "what", ""),
        ("pitch", "I was born in nineteen eighty", ""),
        ("pitch", "do you like pizza", ""),
        ("pitch", "my dog ate the invoice", ""),
        ("pitch", "tell me a joke", ""),
        ("objection", "the price", "price"),
        ("objection", "it's the wrong moment", "busy"),
        ("objection", "not the right moment", "busy"),
        ("objection", "no", "no"),
        ("objection", "I said I'm not interested", "not_interested"),
        ("closing", "no that's all thank you", "goodbye"),
        ("closing", "no thank you", "no"),
        ("closing", "nothing else", ""),
        ("greeting", "yes I have a minute", "yes"),
        ("greeting", "yes", "yes"),
        ("greeting", "I have a question about the price", "price"),
        ("greeting", "do you have a free trial", "trial"),
        ("greeting", "yes who is this", "identity"),
        ("greeting", "not really no", "no"),
        ("pitch", "that is not too expensive", ""),
        ("pitch", "i like the price", "price"),
    ],
)
def test_what_people_say_is_understood(stage: str, utterance: str, intent: str) -> None:
    assert meant(utterance, STAGES[stage]) == intent


@pytest.mark.parametrize(
    ("intent", "phrase"), [(meaning.id, phrase) for meaning in MEANINGS for phrase in meaning.phrases]
)
def test_every_phrase_of_the_playbook_means_its_intent_at_every_stage(intent: str, phrase: str) -> None:
    assert {meant(phrase, stage) for stage in STAGES.values()} == {intent}


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("I'm not interested.", "i am not interested"),
        ("I\u2019m NOT interested!", "i am not interested"),
        ("We don't, we won't, we can't", "we do not we will not we can not"),
        ("It's 3:30 p.m.", "it is 3 30 pm"),
        ("at nine o'clock", "at nine o'clock"),
        ("e-mail_me", "e mail me"),
        ("  ...  ", ""),
    ],
)
def test_words_are_the_same_however_they_are_written(written: str, same: str) -> None:
    assert words(written) == same.split()


@given(st.text())
def test_any_text_can_be_matched_and_always_means_the_same(text: str) -> None:
    assert meant(text) == meant(text)


@given(st.sampled_from([phrase for meaning in MEANINGS for phrase in meaning.phrases]))
def test_case_and_punctuation_change_nothing(phrase: str) -> None:
    assert meant(phrase.upper() + "?!") == meant(phrase)


@pytest.mark.parametrize(("digits", "intent"), [("1", "demo"), ("0", "person"), ("*91", "demo"), ("2", ""), ("", "")])
def test_the_first_key_that_means_something_counts(digits: str, intent: str) -> None:
    found = MATCHER.by_key(digits)
    assert (found.id if found else "") == intent


@pytest.mark.parametrize(
    ("utterance", "value"),
    [
        ("tomorrow afternoon works", "tomorrow afternoon"),
        ("How about Tuesday at three p.m.?", "tuesday at three pm"),
        ("next week is better", "next week"),
        ("the day after tomorrow in the morning", "the day after tomorrow in the morning"),
        ("in the afternoon", "the afternoon"),
        ("could we do it on friday", "friday"),
        ("three people told me about monday", "monday"),
        ("no idea", ""),
        ("", ""),
    ],
)
def test_a_slot_is_the_longest_run_of_its_words_around_a_trigger(utterance: str, value: str) -> None:
    assert TIME.slot is not None
    assert slot_value(TIME.slot, TIME.triggers, utterance) == value


def test_a_very_long_utterance_is_looked_at_only_so_far() -> None:
    assert meant("word " * 100 + "how much is it") == ""
