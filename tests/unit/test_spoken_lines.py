"""What of a playbook is said word for word, as a call will ask the voice for it."""

import pytest

from scriza.modules.agent.beginning import plan
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.spoken_lines import spoken_lines
from scriza.ports.agent import CallFacts
from scriza.ports.memory import CallerMemory
from tests.strategy_rig import SAMPLES, playbook


def texts(**changes: object) -> list[str]:
    return [line.text for line in spoken_lines(Guide(playbook(**changes))).lines]


def test_an_opening_has_what_must_be_disclosed_behind_it() -> None:
    persona = {"name": "Tess", "disclosure": {"ai": True, "text": "I am a machine."}}
    assert "Hello, this is the tea shop. I am a machine." in texts(persona=persona)


def test_a_line_is_there_in_the_clauses_that_it_is_spoken_in() -> None:
    answer = "We pick it by hand in the hills. You need only half of it for a pot of tea."
    said = texts(objections=[{"id": "price", "response": [answer]}])
    assert "We pick it by hand in the hills." in said
    assert "You need only half of it for a pot of tea." in said
    assert answer not in said


def test_a_question_is_there_as_it_sounds_alone_and_behind_an_answer() -> None:
    long = "Would you like green tea from the hills, or rather the black one that we have had in the shop since spring?"
    said = texts(stages=[{"id": "start", "goal": "g", "final": True, "ask": [{"id": "q", "question": [long]}]}])
    assert long in said, "behind an answer it is said in one go"
    assert "Would you like green tea from the hills," in said, "alone its first words come sooner"


def test_a_line_that_says_what_only_a_call_knows_is_skipped_and_told() -> None:
    objection = {"id": "price", "response": ["It is cheap, {name}.", "It is cheap.", "{agent_company} is cheap."]}
    lines = spoken_lines(Guide(playbook(objections=[objection])))
    said = [line.text for line in lines.lines]
    assert "It is cheap." in said
    assert "The tea shop is cheap." in said
    assert [(skipped.line, skipped.reason) for skipped in lines.skipped] == [
        ("price.1", "it says name, which only a call knows")
    ]


def test_an_opening_that_greets_by_name_is_there_for_those_whose_name_is_not_known() -> None:
    said = texts(opening={"inbound": "Hello {name}, this is the tea shop.", "fallback": "Goodbye."})
    assert "Hello, this is the tea shop." in said


def test_a_text_is_there_once_whoever_says_it() -> None:
    said = texts(silence={"prompts": ["Are you there?", "Are you there?"]})
    assert said.count("Are you there?") == 1
    assert len(said) == len(set(said))


def test_each_language_has_its_own_lines_and_voice() -> None:
    book = playbook(locales=["de-DE"], silence={"prompts": [{"en-US": "Are you there?", "de-DE": "Sind Sie noch da?"}]})
    german = spoken_lines(Guide(book, "de-DE"))
    assert german.voice.locale == "de-DE"
    assert "Sind Sie noch da?" in [line.text for line in german.lines]


@pytest.mark.parametrize("slug", list(SAMPLES.by_slug))
@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_all_that_a_call_to_somebody_unknown_needs_is_there(slug: str, direction: str) -> None:
    guide = Guide(SAMPLES.by_slug[slug].playbook)
    lines = spoken_lines(guide)
    said = {line.text for line in lines.lines}
    begun = plan(guide, "sv_1", CallFacts("CA1", direction), CallerMemory())  # type: ignore[arg-type]
    fixed = begun.lines
    assert {fixed.opening, fixed.intro_timeout, fixed.repair, fixed.farewell, *fixed.silence_prompts} <= said
    assert lines.voice == begun.voice
