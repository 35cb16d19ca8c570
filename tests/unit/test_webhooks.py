"""Twilio's requests for a call's document, from the signed request to the record and the TwiML, without HTTP."""

import asyncio
import re
from datetime import timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import BadInput, Forbidden
from scriza.kernel.events import Event, Topic
from scriza.kernel.principal import current
from scriza.modules.telephony.call_log import JournaledCall, NewCall
from scriza.modules.telephony.twiml import APOLOGY, CALLED_IN_VAIN
from scriza.modules.telephony.webhooks import MOST_STREAMS
from scriza.ports.telephony import CallStarted
from tests.memory_log import MemoryCallLog, MemoryOnce
from tests.unit.webhook_rig import CALL, INCOMING, NOW, WHO, Office, ending, signed, token_in
from tests.virtual_time import run_virtual


@pytest.fixture
def office() -> Office:
    return Office()


# ---- /voice -------------------------------------------------------------------------------------------------------


async def test_a_call_is_recorded_and_connected_by_a_token_of_its_own(office: Office) -> None:
    twiml = await office.voice()
    assert await office.tokens.redeem(token_in(twiml)) == CALL
    call = await office.found()
    assert (call.caller, call.callee, call.direction) == ("+14155550123", "+18005551212", "inbound")
    assert (call.status, call.started_at, call.workspace) == ("ringing", NOW, "default")
    (started,) = office.log.told
    assert started.type == Topic.CALL_STARTED
    assert msgspec.json.decode(started.data, type=CallStarted) == CallStarted(CALL, "inbound", WHO)


async def test_no_event_has_a_number_and_one_that_is_withheld_is_nobodys(office: Office) -> None:
    await office.voice(CallSid="CA2", Direction="outbound-api", From="+18005551212", To="+14155550123")
    await office.voice(CallSid="CA3", From="anonymous")
    placed, withheld = (msgspec.json.decode(event.data, type=CallStarted) for event in office.log.told)
    assert (placed.caller, withheld.caller) == (WHO, "")
    assert b"4155550123" not in b"".join(msgspec.json.encode(event) for event in office.log.told)


async def test_a_repeated_webhook_gets_the_same_answer_and_tells_nothing_twice(office: Office) -> None:
    first = await office.webhooks.voice(signed("/voice", INCOMING, idempotency="i-1"))
    again = await office.webhooks.voice(signed("/voice", INCOMING, idempotency="i-1"))
    elsewhere = await office.another_process().voice(signed("/voice", INCOMING, idempotency="i-1"))
    assert first == again == elsewhere
    assert len(office.log.told) == 1


async def test_without_an_idempotency_token_a_repetition_is_known_by_what_it_says(office: Office) -> None:
    assert await office.voice() == await office.voice()
    assert await office.voice(CallSid="CA2") != await office.voice()


async def test_two_repetitions_at_the_same_time_get_one_answer(office: Office) -> None:
    answers = await asyncio.gather(*(office.voice() for _ in range(5)))
    assert len(set(answers)) == 1
    assert len(office.log.told) == 1


async def test_a_call_that_we_placed_is_outbound(office: Office) -> None:
    await office.voice(Direction="outbound-api", CallStatus="in-progress")
    assert (await office.found()).direction == "outbound"


@pytest.mark.parametrize("number", ["anonymous", "+266696687", "", "sip:someone@example.com", "client:web", "12345"])
async def test_a_number_that_is_withheld_or_none_is_left_empty(office: Office, number: str) -> None:
    await office.voice(From=number)
    assert (await office.found()).caller == ""


@pytest.mark.parametrize("word", ["", "hovering"])
async def test_a_status_word_that_is_none_does_not_lose_the_call(office: Office, word: str) -> None:
    await office.voice(CallStatus=word)
    assert (await office.found()).status == "ringing"


async def test_without_room_an_incoming_call_hears_the_busy_tone_and_a_placed_one_a_sentence(office: Office) -> None:
    office.room = False
    assert '<Reject reason="busy" />' in await office.voice()
    assert CALLED_IN_VAIN in await office.voice(CallSid="CA2", Direction="outbound-api")
    assert (await office.found()).status == "ringing"


async def test_a_call_that_was_over_before_it_was_asked_about_is_not_connected(office: Office) -> None:
    await office.status("completed", 3, CallDuration="0")
    assert "<Response><Hangup /></Response>" in await office.voice()


async def test_a_call_that_we_have_ended_is_not_begun_anew(office: Office) -> None:
    await office.voice()
    await office.log.end(ending())
    assert "<Response><Hangup /></Response>" in await office.voice(CallStatus="in-progress")


@pytest.mark.parametrize("word", ["busy", "failed", "no-answer", "canceled", "completed"])
async def test_a_call_that_is_over_by_its_own_account_is_not_connected(office: Office, word: str) -> None:
    assert "<Response><Hangup /></Response>" in await office.voice(CallStatus=word)


async def test_a_live_call_that_is_asked_about_again_is_connected(office: Office) -> None:
    await office.voice()
    assert token_in(await office.voice(CallStatus="in-progress"))


async def test_what_is_done_for_a_call_is_done_in_its_name(office: Office) -> None:
    seen = []

    class Watching(MemoryCallLog):
        async def open(self, call: NewCall, *events: Event) -> bool:
            seen.append((current().call_id, current().principal.workspace))
            return await super().open(call, *events)

    await Office(log=Watching()).voice()
    assert seen == [(CALL, "default")]


class Broken(MemoryCallLog):
    async def open(self, call: NewCall, *events: Event) -> bool:
        raise ConnectionError("the store is gone")

    async def find(self, call_id: str) -> JournaledCall | None:
        raise ConnectionError("the store is gone")


class Stuck(MemoryOnce):
    async def answer(self, key: str) -> bytes | None:
        await asyncio.sleep(3600)
        return None


async def test_with_the_store_down_the_caller_hears_a_sentence_and_nothing_is_remembered(office: Office) -> None:
    broken = Office(log=Broken(), once=office.once)
    with capture_logs() as logs:
        assert APOLOGY in await broken.voice()
        assert APOLOGY in await broken.after()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["voice.failed"] * 2
    assert token_in(await office.voice())


def test_a_store_that_hangs_does_not_keep_the_caller_waiting() -> None:
    async def call() -> None:
        started = asyncio.get_running_loop().time()
        assert APOLOGY in await Office(once=Stuck()).voice()
        assert asyncio.get_running_loop().time() - started <= 5

    run_virtual(call())


@pytest.mark.parametrize("door", ["voice", "after", "status"])
async def test_a_forged_request_is_refused_and_records_nothing(office: Office, door: str) -> None:
    forged = signed("/voice", INCOMING, token="guess")
    with pytest.raises(Forbidden):
        await getattr(office.webhooks, door)(forged)
    moved = signed("/voice/elsewhere", INCOMING)
    with pytest.raises(Forbidden):
        await getattr(office.webhooks, door)(msgspec.structs.replace(moved, target="/voice"))
    assert await office.log.find(CALL) is None


def test_a_forged_fallback_is_refused(office: Office) -> None:
    with pytest.raises(Forbidden):
        office.webhooks.fallback(signed("/voice/fallback", INCOMING, token="guess"))


async def test_a_replayed_request_gives_nothing_but_the_answer_that_was_given(office: Office) -> None:
    captured = signed("/voice", INCOMING)
    token = token_in(await office.webhooks.voice(captured))
    await office.tokens.redeem(token)
    office.now += timedelta(hours=1)
    assert token_in(await office.webhooks.voice(captured)) == token
    with pytest.raises(Forbidden):
        await office.tokens.redeem(token)
    assert len(office.log.told) == 1


@pytest.mark.parametrize("call_id", ["", "CA 1", "../../etc", "C" * 65])
async def test_a_form_without_a_usable_callsid_is_bad_input(office: Office, call_id: str) -> None:
    for door in (office.webhooks.voice, office.webhooks.after, office.webhooks.status):
        with pytest.raises(BadInput, match="CallSid"):
            await door(signed("/voice", INCOMING | {"CallSid": call_id}))


async def test_no_number_is_logged(office: Office) -> None:
    with capture_logs() as logs:
        await office.voice()
        await office.after()
        await office.status("completed", 1, CallDuration="7")
    assert logs
    assert "4155550123" not in str(logs)


# ---- /voice/fallback ----------------------------------------------------------------------------------------------


def test_the_fallback_needs_nothing_but_itself() -> None:
    office = Office(log=Broken(), once=Stuck())
    form = INCOMING | {"ErrorCode": "11200", "ErrorUrl": "https://pbx.example/voice"}
    assert APOLOGY in office.webhooks.fallback(signed("/voice/fallback", form))


# ---- /voice/after -------------------------------------------------------------------------------------------------


async def test_a_call_that_lost_its_stream_is_connected_again_by_a_new_token(office: Office) -> None:
    first = token_in(await office.voice())
    await office.log.attach(CALL)
    again = await office.after()
    assert token_in(again) != first
    assert await office.tokens.redeem(token_in(again)) == CALL
    assert "<Redirect>/voice/after?attempt=2</Redirect>" in again


async def test_a_stream_that_never_opens_is_not_tried_for_ever(office: Office) -> None:
    await office.voice()
    target, tries = "/voice/after", 1
    while "<Stream" in (twiml := await office.after(target)):
        tries += 1
        match = re.search(r"<Redirect>(.+)</Redirect>", twiml)
        assert match
        target = match[1]
    assert tries == MOST_STREAMS
    assert APOLOGY in twiml


async def test_streams_that_are_lost_again_and_again_are_counted_whatever_the_url_says(office: Office) -> None:
    await office.voice()
    for _ in range(MOST_STREAMS):
        await office.log.attach(CALL)
    assert APOLOGY in await office.after()


@pytest.mark.parametrize("query", ["attempt=", "attempt=x", "attempt=-1", "attempt=99999999", "attempt=²"])
async def test_an_attempt_that_is_no_number_counts_as_the_first(office: Office, query: str) -> None:
    await office.voice()
    assert "?attempt=2" in await office.after(f"/voice/after?{query}")


async def test_losing_the_stream_twice_is_not_taken_for_a_repetition(office: Office) -> None:
    await office.voice()
    second = token_in(await office.after())
    third = token_in(await office.after("/voice/after?attempt=2"))
    assert second != third
    assert token_in(await office.after("/voice/after?attempt=2")) == third


async def test_a_call_that_we_ended_is_hung_up(office: Office) -> None:
    await office.voice()
    await office.log.end(ending())
    assert "<Response><Hangup /></Response>" in await office.after()


async def test_a_caller_who_hung_up_is_not_connected_again(office: Office) -> None:
    await office.voice()
    assert "<Response><Hangup /></Response>" in await office.after(CallStatus="completed")


async def test_a_call_that_nobody_knows_ends_with_a_sentence(office: Office) -> None:
    assert APOLOGY in await office.after()
