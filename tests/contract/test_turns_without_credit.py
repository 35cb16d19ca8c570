"""No turn is answered without credit, for whoever asks: in its own words, before any model is asked."""

from collections.abc import AsyncIterator

import pytest

from scriza.kernel.errors import NoCredit
from scriza.kernel.principal import Principal, acting
from scriza.modules.llm.service import LlmService
from scriza.ports.credit import CreditCheck
from scriza.ports.llm import Llm, Message, Turn
from tests.contract.doors import Doors
from tests.memory_credit import Purse
from tests.standins.llm_engine import ScriptedEngine, routes
from tests.standins.teller import Told

CALL = "CA" + "0" * 31 + "7"
TURN = Turn([Message("user", "how much is it")])


class Rig:
    """The port, with a model behind it and a purse beside it."""

    def __init__(self) -> None:
        self.purse, self.engine, self.told = Purse(), ScriptedEngine(), Told()
        self.service = LlmService(self.told, cache_ttl_s=60, credit=self.purse.check, **routes(self.engine))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    await rig.service.close()


@pytest.fixture
async def llm(doors: Doors, rig: Rig) -> AsyncIterator[Llm]:
    async with doors(Llm, rig.service) as llm:
        yield llm


async def streamed(llm: Llm, turn: Turn) -> int:
    return len([part async for part in llm.stream_turn(turn)])


async def test_a_turn_is_refused_before_a_model_is_asked(rig: Rig, llm: Llm) -> None:
    rig.purse.seconds = 0
    with pytest.raises(NoCredit, match="used up its credit"):
        await llm.turn(TURN)
    assert rig.engine.asked == []
    assert rig.told.events == []


async def test_a_stream_is_refused_by_its_status_and_not_in_its_midst(rig: Rig, llm: Llm) -> None:
    rig.purse.seconds = 0
    with pytest.raises(NoCredit):
        await streamed(llm, TURN)
    assert rig.engine.asked == []


async def test_what_is_in_the_cache_is_refused_too(rig: Rig, llm: Llm) -> None:
    await llm.turn(TURN)
    rig.purse.seconds = 0
    with pytest.raises(NoCredit):
        await llm.turn(TURN)
    with pytest.raises(NoCredit):
        await streamed(llm, TURN)


async def test_credit_is_asked_for_once_a_turn(rig: Rig, llm: Llm) -> None:
    await llm.turn(TURN)
    await streamed(llm, TURN)
    assert rig.purse.asked == [CreditCheck(), CreditCheck()]


async def test_what_is_held_for_a_call_is_there_for_its_turns(rig: Rig, llm: Llm) -> None:
    with acting(Principal("acme"), call_id=CALL):
        await llm.turn(TURN)
    await llm.turn(Turn([Message("user", "hello")], conversation_id=CALL))
    await llm.turn(Turn([Message("user", "hello")], conversation_id="a chat of ours"))
    assert [asked.call_id for asked in rig.purse.asked] == [CALL, CALL, ""]
    assert "acme" in rig.purse.workspaces


@pytest.mark.parametrize("how", ["away", "stalled"])
async def test_a_book_that_cannot_be_asked_refuses_nobody(rig: Rig, llm: Llm, how: str) -> None:
    rig.purse.seconds = 0
    setattr(rig.purse, how, True)
    assert (await llm.turn(TURN)).text == "It is nineteen dollars."
