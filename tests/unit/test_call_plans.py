"""How a call is led between the agent's answers: lines with what is known in them, and what has to be disclosed."""

import msgspec
import pytest

from scriza.modules.agent.beginning import plan
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.texts import as_far_as_known
from scriza.ports.agent import CallFacts, CallPlan
from scriza.ports.memory import CallerMemory, Remembered
from scriza.ports.playbook import Playbook
from tests.unit.test_guide import MINIMAL

VARIABLES = [{"name": "name", "source": "memory"}, {"name": "plan", "source": "contact"}, {"name": "time"}]


def planned(
    call: CallFacts | None = None, memory: CallerMemory | None = None, locale: str = "", **sections: object
) -> CallPlan:
    playbook = msgspec.convert({**MINIMAL, "variables": VARIABLES, **sections}, Playbook)
    return plan(Guide(playbook, locale), "sv_1", call or CallFacts("CA1"), memory or CallerMemory())


def opening(**fields: object) -> dict[str, object]:
    return {"inbound": "Hello there.", "fallback": "Goodbye.", **fields}


def known(kind: str, name: str, text: str) -> Remembered:
    return Remembered("rem_1", kind, name, text)


ADA = CallerMemory(
    calls=2,
    last_summary="She asked for the price and liked it.",
    known=[known("fact", "name", "Ada"), known("fact", "time", "monday"), known("promise", "callback", "On Friday.")],
)


def test_the_playbook_says_how_long_the_first_words_may_take_or_leaves_it_to_telephony() -> None:
    assert planned(opening=opening(timeout_s=7)).first_words_ms == 7_000
    assert planned(opening=opening()).first_words_ms == 0


# ---- what is known -----------------------------------------------------------------------------------------------


def test_a_caller_whom_we_know_is_greeted_by_what_was_learned() -> None:
    returning = opening(returning="Welcome back, {name}.")
    assert planned(memory=ADA, opening=returning).lines.opening == "Welcome back, Ada."
    assert planned(memory=CallerMemory(calls=1), opening=returning).lines.opening == "Hello there."
    assert planned(opening=returning).lines.opening == "Hello there."


def test_what_earlier_calls_have_taught_goes_with_the_conversation_in_words() -> None:
    assert planned(memory=ADA).conversation.known == [
        "The last call: She asked for the price and liked it.",
        "Name: Ada",
        "Time: monday",
        "Promised: On Friday.",
    ]


def test_variables_are_brought_along_by_the_call_before_memory_but_what_a_call_asks_for_is_asked_anew() -> None:
    assert planned(memory=ADA).conversation.slots == {"name": "Ada"}
    call = CallFacts("CA1", variables={"name": "Grace", "plan": "team"})
    assert planned(call, ADA).conversation.slots == {"name": "Grace", "plan": "team"}


def test_memory_fills_no_plan_without_bound() -> None:
    much = CallerMemory(calls=9, known=[known("fact", f"thing-{n}", "x" * 5_000) for n in range(500)])
    told = planned(memory=much).conversation.known
    assert len(told) <= 13
    assert all(len(text) <= 300 for text in told)


# ---- the opening -------------------------------------------------------------------------------------------------


def test_who_was_called_hears_the_outbound_opening_where_there_is_one() -> None:
    outbound = CallFacts("CA1", "outbound")
    assert planned(outbound, opening=opening(outbound="Do you have a minute?")).lines.opening == "Do you have a minute?"
    assert planned(outbound).lines.opening == "Hello."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hi {name}, this is Ada.", "Hi, this is Ada."),
        ("{name}, hello! It is Ada.", "hello! It is Ada."),
        ("Hi. I call about the {plan}. Is it a good time?", "Hi. Is it a good time?"),
        ("Is this {name}?", "Is this?"),
        ("I call about the {plan} again and want to ask", "I call about the again and want to ask"),
        ("Hi, it is Ada.", "Hi, it is Ada."),
    ],
)
def test_a_line_that_has_to_be_said_does_without_what_is_not_known(line: str, said: str) -> None:
    assert as_far_as_known(line, {}) == said


@pytest.mark.parametrize(
    ("disclosure", "inbound", "said"),
    [
        ({"ai": True}, "Hello.", "Hello. I am an AI assistant."),
        ({"ai": True}, "Hello, I am Ada, the AI at Kite.", "Hello, I am Ada, the AI at Kite."),
        ({"ai": True}, "Hello, I am Ada, a virtual assistant.", "Hello, I am Ada, a virtual assistant."),
        ({"ai": True}, "Aisha said hello.", "Aisha said hello. I am an AI assistant."),
        ({"recording": True}, "Hello.", "Hello. This call is recorded."),
        ({"recording": True}, "Hello on a recorded line.", "Hello on a recorded line."),
        ({"ai": True, "recording": True}, "Hello.", "Hello. I am an AI assistant. This call is recorded."),
        ({"ai": True, "recording": True, "text": "An AI speaks, on tape."}, "Hello.", "Hello. An AI speaks, on tape."),
        ({"text": "An AI speaks."}, "Hello.", "Hello."),
    ],
)
def test_what_has_to_be_disclosed_is_said_behind_an_opening_that_does_not_say_it(
    disclosure: dict[str, object], inbound: str, said: str
) -> None:
    persona = {"name": "Ada", "disclosure": disclosure}
    assert planned(persona=persona, opening=opening(inbound=inbound)).lines.opening == said
    known_caller = opening(inbound="Hello.", returning=inbound)
    assert planned(memory=CallerMemory(calls=1), persona=persona, opening=known_caller).lines.opening == said


def test_what_somebody_wrote_into_a_variable_is_spoken_as_far_as_it_can_be() -> None:
    call = CallFacts("CA1", variables={"name": "**Ada** \N{PARTY POPPER} (www.ada.org) " + "x" * 9_999})
    said = planned(call, opening=opening(inbound="Hi {name}, hello.")).lines.opening
    assert said.startswith("Hi Ada (ada dot org) xxx")
    assert len(said) < 250


# ---- languages, voice, machines ----------------------------------------------------------------------------------


def test_a_call_in_another_language_of_the_playbook_has_its_texts() -> None:
    both = opening(inbound={"en-US": "Hello.", "de-DE": "Guten Tag."})
    made = planned(locale="de-DE", opening=both, locales=["de-DE"])
    assert (made.lines.opening, made.language, made.voice.locale) == ("Guten Tag.", "de", "de-DE")
    assert made.conversation.language == "de-DE"
    assert made.lines.trouble == "Sorry?", "a line that is there in one language only is said in that one"


def test_the_voice_is_the_personas() -> None:
    persona = {"name": "Ada", "voice": "v1", "tone": ["calm", "warm"], "pronunciations": {"GTM": "go to market"}}
    voice = planned(persona=persona).voice
    assert (voice.voice_id, voice.tone, voice.pronunciation) == ("v1", "calm", (("GTM", "go to market"),))


def test_a_machine_gets_nothing_and_a_silent_caller_no_message_where_the_playbook_says_so() -> None:
    text = {"text": "Please call back."}
    assert planned(voicemail=text).lines.voicemail == "Please call back."
    assert planned(voicemail={**text, "action": "hang_up"}).lines.voicemail == ""
    sms = {"template": "We lost you."}
    assert planned(sms_fallback=sms).lines.silence_sms == ""
    assert planned(sms_fallback={**sms, "enabled": True}).lines.silence_sms == "We lost you."
