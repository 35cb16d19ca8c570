"""A caller who is handed over to a person: the dialled leg, its whisper, and the call's way back or end."""

import re
from datetime import timedelta

import msgspec
import pytest

from scriza.kernel.errors import BadInput
from scriza.kernel.events import Topic
from scriza.kernel.principal import current
from scriza.modules.telephony.twiml import UNREACHED
from scriza.modules.telephony.webhooks import MOST_STREAMS
from scriza.ports.telephony import CallCompleted
from tests.memory_log import MemoryOnce
from tests.unit.webhook_rig import CALL, NOW, WHO, Office, token_in


@pytest.fixture
def office() -> Office:
    return Office()


def url_in(twiml: str) -> str:
    match = re.search(r'<Number url="([^"]+)"', twiml)
    assert match, twiml
    return match[1]


def action_in(twiml: str) -> str:
    match = re.search(r'<Gather action="([^"]+)"', twiml)
    assert match, twiml
    return match[1]


async def test_a_call_that_is_to_be_transferred_is_dialled(office: Office) -> None:
    await office.handed_over(whisper="")
    twiml = await office.after()
    assert "<Number>+15550001111</Number></Dial><Hangup />" in twiml
    assert 'action="/voice/dialled"' in twiml
    assert "callerId" not in twiml


async def test_a_call_that_we_placed_is_transferred_under_our_own_number(office: Office) -> None:
    await office.handed_over(Direction="outbound-api", From="+18005551212", To="+14155550123")
    assert 'callerId="+18005551212"' in await office.after()


@pytest.mark.parametrize("withheld", ["anonymous", "", "+266696687"])
async def test_a_caller_who_withholds_their_number_is_transferred_under_ours(office: Office, withheld: str) -> None:
    await office.handed_over(From=withheld, To="+18005551212")
    assert 'callerId="+18005551212"' in await office.after()


async def test_the_person_hears_who_is_calling_and_takes_the_call_by_a_key(office: Office) -> None:
    await office.handed_over(whisper="Ann calls about <pricing>.")
    whisper = url_in(await office.after())
    document = await office.whisper(whisper)
    assert "Ann calls about &lt;pricing&gt;. Press 1 to take the call.</Say></Gather><Hangup />" in document
    assert "<Response />" in await office.whisper(action_in(document), Digits="1")
    assert (await office.found()).transfer == "reached"


@pytest.mark.parametrize("digits", ["", "2", "*"])
async def test_a_person_who_presses_another_key_has_not_taken_the_call(office: Office, digits: str) -> None:
    await office.handed_over()
    document = await office.whisper(url_in(await office.after()))
    assert "<Response><Hangup /></Response>" in await office.whisper(action_in(document), Digits=digits)
    assert (await office.found()).transfer == "wanted"


async def test_a_whisper_that_names_no_call_is_refused(office: Office) -> None:
    with pytest.raises(BadInput):
        await office.whisper("/voice/whisper")


async def test_whoever_answers_after_the_caller_has_gone_is_told_nothing(office: Office) -> None:
    await office.handed_over()
    whisper = url_in(await office.after())
    await office.status("completed", 3)
    assert "<Response><Hangup /></Response>" in await office.whisper(whisper)


@pytest.mark.parametrize(
    ("result", "bridged"),
    [("busy", ""), ("no-answer", ""), ("failed", "false"), ("canceled", ""), ("strange", ""), ("completed", "false")],
)
async def test_the_caller_is_kept_when_nobody_takes_the_call(office: Office, result: str, bridged: str) -> None:
    await office.handed_over()
    await office.after()
    assert await office.tokens.redeem(token_in(await office.dialled(result, DialBridged=bridged))) == CALL
    call = await office.found()
    assert (call.transfer, call.ended_reason) == ("unreached", "")
    assert office.told(Topic.CALL_COMPLETED) == []
    assert (await office.log.attach(CALL)).comes_back
    assert not (await office.log.attach(CALL)).comes_back, "a stream that was lost later is another matter"


async def test_an_answer_without_a_key_is_no_answer_when_a_whisper_asked_for_one(office: Office) -> None:
    await office.handed_over()
    assert "<Stream" in await office.dialled("completed")


@pytest.mark.parametrize("bridged", ["", "true"])
async def test_a_call_ends_once_when_caller_and_person_have_talked(office: Office, bridged: str) -> None:
    await office.handed_over()
    document = await office.whisper(url_in(await office.after()))
    await office.whisper(action_in(document), Digits="1")
    office.now += timedelta(minutes=3)
    assert "<Response><Hangup /></Response>" in await office.dialled("completed", DialBridged=bridged)
    await office.status("completed", 3, CallDuration="181")
    (told,) = office.told(Topic.CALL_COMPLETED)
    assert msgspec.json.decode(told.data, type=CallCompleted) == CallCompleted(
        CALL, "completed", "transferred", "demo_booked", 180, 4, caller=WHO, started_at=NOW
    )
    record = await office.log.record("default", CALL)
    assert record is not None
    assert (record.ended_reason, record.outcome, record.duration_seconds) == ("transferred", "demo_booked", 181)
    assert (record.metrics.turns, record.metrics.transfers) == (4, 1)


@pytest.mark.parametrize(("pressed", "reason"), [(True, "transferred"), (False, "caller-hung-up")])
async def test_a_status_that_comes_before_the_result_tells_the_same_end(
    office: Office, pressed: bool, reason: str
) -> None:
    await office.handed_over()
    document = await office.whisper(url_in(await office.after()))
    if pressed:
        await office.whisper(action_in(document), Digits="1")
    await office.status("completed", 3, CallDuration="77")
    result = await office.dialled("completed" if pressed else "canceled", CallStatus="completed")
    assert "<Response><Hangup /></Response>" in result
    (told,) = office.told(Topic.CALL_COMPLETED)
    data = msgspec.json.decode(told.data, type=CallCompleted)
    assert (data.ended_reason, data.outcome) == (reason, "demo_booked")
    record = await office.log.record("default", CALL)
    assert record is not None
    assert (record.ended_reason, record.duration_seconds) == (reason, 77)


async def test_a_transfer_that_no_stream_began_ends_as_it_went(office: Office) -> None:
    await office.voice()
    assert UNREACHED in await office.dialled("no-answer")
    assert "<Response><Hangup /></Response>" in await office.dialled("completed")


async def test_a_caller_who_comes_back_again_and_again_is_sent_off_with_a_sentence(office: Office) -> None:
    await office.handed_over()
    for _ in range(MOST_STREAMS):
        await office.log.attach(CALL)
    assert UNREACHED in await office.dialled("no-answer")


async def test_what_the_person_hears_is_kept_under_the_call_that_it_is_about(office: Office) -> None:
    """It tells what the caller has said, and is erased with the call."""
    abouts: list[str] = []

    class Noting(MemoryOnce):
        async def keep_answer(self, key: str, answer: bytes) -> bytes:
            abouts.append(current().call_id)
            return await super().keep_answer(key, answer)

    office = Office(once=Noting())
    await office.handed_over()
    await office.whisper(url_in(await office.after()))
    assert abouts == [CALL] * 3
