"""Who says in a call that they want no further ones is on the do-not-call list, as the agent tells them."""

import re
from typing import Literal

import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import Unavailable
from scriza.modules.agent.builtin import built_in
from scriza.ports.agent import DO_NOT_CALL, Clause, HangUp, Reply, ReplyPart, SetOutcome
from scriza.ports.call_desk import BarredNumber
from tests.memory_books import MemoryBarredBook
from tests.playbooks import PAPER_KITE
from tests.scenarios.engines import LineAsr, ScriptedAgent
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import World, call
from tests.virtual_time import run_virtual

CALLER, CALLEE = "+14155550100", "+14155550199"


def obliging(request: Reply) -> list[ReplyPart]:
    return [Clause("You are off our list."), SetOutcome(DO_NOT_CALL), HangUp()]


async def asks(phone: MemoryPhone) -> None:
    await phone.heard_all()
    await phone.say(900)
    await phone.heard_all()


class FitfulBook(MemoryBarredBook):
    """Is away at first."""

    away = 3

    async def put(self, workspace: str, entry: BarredNumber) -> BarredNumber:
        if self.away:
            self.away -= 1
            raise Unavailable("the store is away")
        return await super().put(workspace, entry)


@pytest.mark.parametrize(("direction", "them"), [("inbound", CALLER), ("outbound", CALLEE)])
def test_the_other_side_is_put_on_the_list_once_the_store_is_there(
    direction: Literal["inbound", "outbound"], them: str
) -> None:
    world = World(asr=LineAsr("take me off your list"), agent=ScriptedAgent(obliging), direction=direction)
    world.placing.barred = FitfulBook()
    with capture_logs() as logs:
        record = call(world, asks)
    assert record.outcome == DO_NOT_CALL
    entry = run_virtual(world.placing.barred.find("default", them))
    assert entry is not None
    assert entry.source == "call"
    assert not any(number in str(logs) for number in (CALLER, CALLEE))


def test_the_sample_playbook_promises_it_only_where_it_is_done() -> None:
    stages = [answer for stage in PAPER_KITE.stages for answer in stage.answers.values()]
    intents = [intent.answer for intent in (*PAPER_KITE.intents, *built_in("en").intents)]
    promises = [answer for answer in (*stages, *intents) if re.search(r"\blist\b", " ".join(map(str, answer.say)))]
    assert promises
    assert {answer.outcome for answer in promises} == {DO_NOT_CALL}
