"""What a playbook tells the recogniser by the plan of a call, in this process and over HTTP alike."""

import msgspec

from scriza.modules.agent.service import AgentService
from scriza.modules.llm.service import LlmService
from scriza.ports.agent import Agent, CallFacts, CallPlan
from scriza.ports.playbook import Listening
from tests.contract.doors import Doors
from tests.playbooks import PAPER_KITE
from tests.standins.llm_engine import routes
from tests.standins.memory import Recollections
from tests.standins.strategy import Shelf
from tests.standins.teller import Told
from tests.standins.tools import workshop

SAMPLE = PAPER_KITE


async def planned(doors: Doors, listening: Listening) -> CallPlan:
    playbook = msgspec.structs.replace(SAMPLE, listening=listening)
    llm = LlmService(Told(), **routes(None))
    async with doors(Agent, AgentService(llm, Shelf([playbook]), Recollections(), workshop())) as agent:
        plan = await agent.begin(CallFacts("CA1"))
    await llm.close()
    return plan


async def test_names_and_products_come_before_what_callers_are_likely_to_say(doors: Doors) -> None:
    plan = await planned(doors, Listening(hot_words=["Zebu Quix", "Sunny"], prompt="I am calling about Zebu Quix."))
    assert plan.phrases[:2] == ["Zebu Quix", "Sunny"]
    said = [
        *(phrase for each in SAMPLE.objections for phrase in each.phrases),
        *(q for faq in SAMPLE.faqs for q in faq.q),
    ]
    assert plan.phrases[2 : 2 + len(said)] == said
    assert {"yes please", "can i talk to a person", "tomorrow afternoon works"} <= set(plan.phrases)
    assert plan.prompt == "I am calling about Zebu Quix."


async def test_callers_are_expected_to_speak_the_playbooks_language_unless_it_says_otherwise(doors: Doors) -> None:
    assert (await planned(doors, Listening())).language == "en"
    assert (await planned(doors, Listening(any_language=True))).language == ""
