"""What a playbook tells the recogniser by the plan of a call, in this process and over HTTP alike."""

import msgspec
import pytest

from scriza.kernel.errors import BadInput
from scriza.modules.agent.playbook import Listening, read_playbook, sample_playbook
from scriza.modules.agent.service import AgentService
from scriza.modules.llm.service import LlmService
from scriza.ports.agent import Agent, CallFacts, CallPlan
from tests.contract.doors import Doors
from tests.standins.llm_engine import routes
from tests.standins.teller import Told

SAMPLE = sample_playbook()


async def planned(doors: Doors, listening: Listening) -> CallPlan:
    playbook = msgspec.structs.replace(SAMPLE, listening=listening)
    llm = LlmService(Told(), **routes(None))
    async with doors(Agent, AgentService(llm, [playbook])) as agent:
        plan = await agent.begin(CallFacts("CA1"))
    await llm.close()
    return plan


async def test_names_and_products_come_before_what_callers_are_likely_to_say(doors: Doors) -> None:
    plan = await planned(doors, Listening(["Zebu Quix", "Sunny"], "I am calling about Zebu Quix."))
    assert plan.phrases[:2] == ["Zebu Quix", "Sunny"]
    assert plan.phrases[2:] == [phrase for intent in SAMPLE.intents for phrase in intent.phrases]
    assert plan.prompt == "I am calling about Zebu Quix."


async def test_callers_are_expected_to_speak_the_playbooks_language_unless_it_says_otherwise(doors: Doors) -> None:
    assert (await planned(doors, Listening())).language == "en"
    assert (await planned(doors, Listening(any_language=True))).language == ""


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(BadInput, match="hotwords"):
        read_playbook("schema: scriza.playbook/1\nlistening: {hotwords: [Kite]}")
