"""A playbook that does not fit together is refused with the reason, before a call can trip over it."""

import msgspec
import pytest

from scriza.kernel.errors import BadInput
from scriza.modules.agent.builtin import built_in
from scriza.modules.agent.guide import Guide
from scriza.ports.agent import DO_NOT_CALL, HangUp, SetOutcome
from scriza.ports.playbook import Playbook
from tests.by_the_playbook import talk

MINIMAL: dict[str, object] = {
    "schema": "scriza.playbook/1",
    "slug": "tiny",
    "title": "Tiny",
    "locale": "en-US",
    "goal": {"primary": "Be there"},
    "persona": {"name": "Ada"},
    "opening": {"inbound": "Hello.", "fallback": "Goodbye."},
    "stages": [{"id": "start", "goal": "Be there."}],
    "transfer": {"unavailable": {"say": ["Nobody is here."]}},
    "silence": {"prompts": ["Are you there?"]},
    "closing": {"goodbye": "Goodbye."},
    "lines": {"repair": "Pardon?", "trouble": "Sorry?", "resumed": "I am back.", "unknown": ["Pardon me?"]},
}


def playbook(**sections: object) -> Playbook:
    return msgspec.convert({**MINIMAL, **sections}, Playbook)


def stage(**fields: object) -> list[dict[str, object]]:
    return [{"id": "start", "goal": "Be there.", **fields}]


def faq(id_: str, **fields: object) -> dict[str, object]:
    return {"id": id_, "q": ["why"], "a": ["Because."], **fields}


def test_a_playbook_needs_stages_only_to_lead_a_call() -> None:
    guide = Guide(playbook())
    assert guide.first_stage.id == "start"
    assert guide.meanings.keys() == {intent.id for intent in built_in("en").intents}


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"stages": [*stage(), *stage()]}, "the stage 'start' is there twice"),
        ({"stages": stage(next="nowhere")}, "the stage 'start' leads to 'nowhere'"),
        ({"stages": stage(exits=[{"to": "nowhere"}])}, "an exit of the stage 'start' leads to 'nowhere'"),
        ({"stages": stage(exits=[{"to": "start", "on": "who"}])}, "is left on 'who'"),
        ({"stages": stage(answers={"who": {"say": ["Me."]}})}, "the stage 'start' answers 'who'"),
        ({"stages": stage(answers={"no": {"say": ["No."], "to": "nowhere"}})}, "the answer 'start.no' leads to"),
        ({"stages": stage(ask=[{"id": "q", "question": ["A?"]}] * 2)}, "has the question 'q' twice"),
        ({"faqs": [faq("why"), faq("why")]}, "two things that callers mean are called 'why'"),
        ({"faqs": [faq("why")], "objections": [{"id": "why", "response": ["So."]}]}, "are called 'why'"),
        ({"faqs": [faq("why", to="nowhere")]}, "the FAQ 'why' leads to 'nowhere'"),
        ({"objections": [{"id": "dear", "response": ["So."], "next": "nowhere"}]}, "the objection 'dear' leads"),
        ({"intents": [{"id": "a", "answer": {"say": ["A."], "to": "nowhere"}}]}, "the answer 'a' leads to"),
        ({"intents": [{"id": "a", "answer": {"say": ["A."], "tool": "book"}}]}, "the answer 'a' has 'book' run"),
        ({"stages": stage(answers={"no": {"say": ["No."], "tool": "book"}})}, "the answer 'start.no' has 'book' run"),
        ({"tools": [{"name": "book", "description": "Book."}] * 2}, "two tools are called 'book'"),
        ({"faqs": [faq("why", a=["At {time"])]}, "has braces that name no variable"),
        ({"faqs": [faq("why", a=["At {time.real}"])]}, "has braces that name no variable"),
        ({"faqs": [faq("why", a=["At {}"])]}, "has braces that name no variable"),
        ({"faqs": [faq("why", a=[{"en": "At noon.", "de": "Um {zwoelf"}])]}, "has braces that name no variable"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_reason(sections: dict[str, object], reason: str) -> None:
    with pytest.raises(BadInput, match="does not fit together") as refused:
        Guide(playbook(**sections))
    assert reason in refused.value.detail


def test_an_intent_of_a_built_in_name_that_has_only_an_answer_is_recognised_as_the_built_in_one() -> None:
    own = {"id": "identity", "answer": {"say": ["I am Ada."]}}
    guide = Guide(playbook(intents=[own]))
    meant = guide.matcher.match("who are you", guide.first_stage)
    assert meant is not None
    assert [line.text for line in meant.saying.lines] == ["I am Ada."]


def test_an_intent_with_words_of_its_own_stands_in_the_place_of_the_built_in_one() -> None:
    own = {"id": "identity", "phrases": ["reveal yourself"], "answer": {"say": ["I am Ada."]}}
    guide = Guide(playbook(intents=[own]))
    assert guide.matcher.match("who are you", guide.first_stage) is None


def test_texts_are_those_of_the_language_that_is_spoken() -> None:
    both = playbook(locales=["de-DE"], faqs=[faq("why", a=[{"en-US": "Because.", "de-DE": "Darum."}])])
    said = {locale: Guide(both, locale).meanings["why"].saying.lines[0].text for locale in ("", "de-DE")}
    assert said == {"": "Because.", "de-DE": "Darum."}


def test_in_a_language_that_nothing_is_built_in_for_the_playbook_finds_the_words() -> None:
    german = playbook(locale="de-DE", stages=stage(answers={"yes": {"say": ["Wunderbar."]}}))
    said = {utterance: talk(Guide(german), [utterance])[0] for utterance in ("yes", "thank you", "please stop calling")}
    assert said["yes"].said == "Wunderbar."
    assert said["thank you"].said == "Pardon me?"
    assert said["please stop calling"].acts == [SetOutcome(DO_NOT_CALL), HangUp()]
    assert said["please stop calling"].said == "Goodbye."
