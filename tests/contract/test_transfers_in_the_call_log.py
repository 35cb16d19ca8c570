"""What every journal keeps of a call that is handed over to a person, until it is known how that went."""

import pytest

from scriza.modules.telephony.call_log import LONGEST_TRANSFER, HandOver
from scriza.ports.telephony import CallMetrics
from tests.contract.call_log_rig import CALL, METRICS, SIDES, Rig, at, completed, ending, found, new, rig_of


@pytest.fixture(params=SIDES)
def rig(request: pytest.FixtureRequest) -> Rig:
    return rig_of(request)


def hand_over(stream: int = 1, seconds: float = 20) -> HandOver:
    return HandOver(CALL, "+14155550100", "Ann asks for you.", stream, at(seconds), METRICS, "booked")


async def test_a_call_that_is_handed_over_has_not_ended(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    await rig.log.hand_over(hand_over())
    call = await found(rig)
    assert (call.transfer, call.transfer_to, call.whisper) == ("wanted", "+14155550100", "Ann asks for you.")
    assert (call.in_transfer, call.outcome, call.metrics, call.ended_reason) == (True, "booked", METRICS, "")
    assert await rig.topics() == []


async def test_a_transfer_reaches_somebody_or_nobody_and_is_over_then(rig: Rig) -> None:
    await rig.log.open(new())
    assert await rig.log.transferred(CALL, "reached", at(1)) is False
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    assert await rig.log.transferred(CALL, "reached", at(30)) is True
    assert (await found(rig)).transfer == "reached"
    assert await rig.log.transferred(CALL, "unreached", at(31)) is True
    assert await rig.log.transferred(CALL, "reached", at(32)) is False
    assert not (await found(rig)).in_transfer


async def test_a_repeated_hand_over_does_not_call_somebody_again(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    await rig.log.transferred(CALL, "unreached", at(30))
    await rig.log.hand_over(hand_over())
    assert (await found(rig)).transfer == "unreached"
    assert (await rig.log.attach(CALL)).comes_back
    await rig.log.hand_over(hand_over(stream=2))
    assert (await found(rig)).transfer == "wanted"


async def test_a_call_can_be_handed_over_before_any_stream_of_it(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.hand_over(hand_over(stream=0))
    await rig.log.transferred(CALL, "unreached", at(30))
    await rig.log.hand_over(hand_over(stream=0))
    assert (await found(rig)).transfer == "unreached"
    assert (await rig.log.attach(CALL)).comes_back


async def test_a_call_that_goes_on_on_another_stream_is_not_handed_over_any_more(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    assert not (await found(rig)).in_transfer


async def test_a_call_that_has_ended_is_not_handed_over(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.end(ending(), completed())
    await rig.log.hand_over(hand_over())
    assert not (await found(rig)).in_transfer


async def test_a_call_in_a_transfer_is_not_taken_for_lost(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.attach(CALL)
    await rig.log.hand_over(hand_over())
    assert await rig.log.idle(at(3600), 10) == []
    await rig.log.transferred(CALL, "reached", at(30))
    assert await rig.log.idle(at(3600), 10) == []
    assert len(await rig.log.idle(at(60) + LONGEST_TRANSFER, 10)) == 1
    await rig.log.transferred(CALL, "unreached", at(40))
    assert len(await rig.log.idle(at(3600), 10)) == 1


async def test_a_transfer_before_any_stream_leaves_room_for_one_after_it(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.hand_over(HandOver(CALL, "+14155550177", "", 0, at(1), CallMetrics()))
    assert await rig.log.transferred(CALL, "unreached", at(30))
    await rig.log.attach(CALL)
    await rig.log.hand_over(HandOver(CALL, "+14155550188", "", 1, at(60), CallMetrics(transfers=1)))
    found = await rig.log.find(CALL)
    assert found is not None
    assert (found.transfer, found.transfer_to) == ("wanted", "+14155550188")
