"""The simulated carrier's account: its numbers, recordings, lists and bad days, by Twilio's own asynchronous client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from scriza.audio.wav import decode_wav
from scriza.simulator.messages import Refused
from scriza.simulator.options import Fault, Options
from scriza.simulator.scenario import parse
from scriza.simulator.simulator import Simulator
from tests.standins.parrot import Line, Parrot, beeping_voice, tone
from tests.waiting import eventually

TOKEN = "local-token"
OTHER = "+14155550101"
OPTIONS = Options(more_numbers=(OTHER,))
ACCOUNT, NUMBER = OPTIONS.account_sid, OPTIONS.number
PERSON = "+14155550142"


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with Parrot().serve() as serving:
        serving.answer("/voice", f"<Connect>{serving.stream()}</Connect>")
        yield serving


@pytest.fixture
async def twilio(parrot: Parrot) -> AsyncIterator[Simulator]:
    callee = parse("name: callee\nlines: [pause: 20000]")
    async with Simulator(
        parrot.url, auth_token=TOKEN, voice=beeping_voice, rest_port=0, callee=callee, options=OPTIONS
    ) as simulator:
        yield simulator


@pytest.fixture
async def sdk(twilio: Simulator) -> AsyncIterator[Client]:
    http = AsyncTwilioHttpClient()
    client = Client(ACCOUNT, TOKEN, http_client=http)
    client.api.base_url = twilio.rest_url
    yield client
    await http.close()


async def refused(act: Awaitable[Any]) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as error:
        await act
    return error.value.status, error.value.code


async def call(sdk: Client, parrot: Parrot, **more: Any) -> str:
    placed = await sdk.calls.create_async(to=PERSON, from_=NUMBER, url=f"{parrot.url}/voice", **more)
    return str(placed.sid)


# ---- calls --------------------------------------------------------------------------------------------------------


async def test_calls_are_found_by_number_and_time(sdk: Client, parrot: Parrot) -> None:
    since = datetime.now(UTC)
    first, second = await call(sdk, parrot), await call(sdk, parrot)
    assert [one.sid for one in await sdk.calls.list_async(to=PERSON, from_=NUMBER)] == [second, first]
    assert await sdk.calls.list_async(to=NUMBER) == []
    await eventually(lambda: len(parrot.lines) == 2)
    recent = await sdk.calls.list_async(to=PERSON, start_time_after=since)
    assert [one.sid for one in recent] == [second, first]
    assert await sdk.calls.list_async(start_time_after=since + timedelta(hours=1)) == []
    assert [one.sid for one in await sdk.calls.list_async(status="in-progress", page_size=1)] == [second, first]


async def test_a_live_call_takes_another_document_and_an_ended_one_does_not(
    sdk: Client, parrot: Parrot, twilio: Simulator
) -> None:
    sid = await call(sdk, parrot)
    await eventually(lambda: parrot.lines)
    await sdk.calls(sid).update_async(twiml="<Response><Hangup/></Response>")
    assert (await twilio.outcome(sid)).status == "completed"
    assert await refused(sdk.calls(sid).update_async(twiml="<Response><Hangup/></Response>")) == (404, 20404)


async def test_a_live_call_is_hung_up(sdk: Client, parrot: Parrot, twilio: Simulator) -> None:
    sid = await call(sdk, parrot)
    await eventually(lambda: parrot.lines)
    await sdk.calls(sid).update_async(status="completed")
    outcome = await twilio.outcome(sid)
    assert (outcome.status, outcome.ended_by) == ("completed", "agent")
    assert (await sdk.calls(sid).fetch_async()).status == "completed"


async def test_how_who_answers_is_found_out_is_checked(sdk: Client, parrot: Parrot, twilio: Simulator) -> None:
    sid = await call(
        sdk,
        parrot,
        machine_detection="DetectMessageEnd",
        async_amd="true",
        async_amd_status_callback=f"{parrot.url}/answered-by",
    )
    assert twilio.calls[sid].plan.detection == "DetectMessageEnd"
    assert twilio.calls[sid].plan.answered_by_callback == f"{parrot.url}/answered-by"
    assert await refused(call(sdk, parrot, machine_detection="Guess")) == (400, 20001)


# ---- messages -----------------------------------------------------------------------------------------------------


async def test_messages_are_found_by_number_and_time(sdk: Client) -> None:
    since = datetime.now(UTC)
    for body in ("one", "two"):
        await sdk.messages.create_async(to=PERSON, from_=NUMBER, body=body)
    found = await sdk.messages.list_async(to=PERSON, from_=NUMBER, date_sent_after=since)
    assert [message.body for message in found] == ["two", "one"]
    assert await sdk.messages.list_async(to=PERSON, date_sent_after=since + timedelta(hours=1)) == []


async def test_whoever_texts_stop_gets_no_more_until_they_text_start(
    sdk: Client, parrot: Parrot, twilio: Simulator
) -> None:
    parrot.answer("/sms", "")
    await twilio.text(PERSON, " stop ")
    assert await refused(sdk.messages.create_async(to=PERSON, from_=NUMBER, body="x")) == (400, 21610)
    await sdk.messages.create_async(to=PERSON, from_=OTHER, body="x")
    await twilio.text(PERSON, "Start")
    await sdk.messages.create_async(to=PERSON, from_=NUMBER, body="x")
    told = [(form["From"], form["To"], form["Body"], form.get("OptOutType")) for form in parrot.forms("/sms")]
    assert told == [(PERSON, NUMBER, " stop ", "STOP"), (PERSON, NUMBER, "Start", "START")]


async def test_a_text_that_nobody_takes_is_told(parrot: Parrot, twilio: Simulator) -> None:
    twilio.numbers[NUMBER].sms_url = "http://127.0.0.1:9/sms"
    with pytest.raises(Refused):
        await twilio.text(PERSON, "hello")


# ---- numbers ------------------------------------------------------------------------------------------------------


async def test_numbers_are_listed_in_pages_and_lead_where_they_are_pointed(
    sdk: Client, parrot: Parrot, twilio: Simulator
) -> None:
    first, second = await sdk.incoming_phone_numbers.list_async(page_size=1)
    assert (first.phone_number, second.phone_number) == (NUMBER, OTHER)
    assert first.voice_url == f"{parrot.url}/voice"
    assert second.voice_application_sid is None
    changed = await sdk.incoming_phone_numbers(second.sid).update_async(voice_url=f"{parrot.url}/elsewhere")
    assert (changed.voice_url, changed.sms_url) == (f"{parrot.url}/elsewhere", f"{parrot.url}/sms")
    parrot.answer("/elsewhere", "<Hangup/>")
    assert (await twilio.call(parse("name: x\nlines: [pause: 5000]"), number=OTHER)).ok
    [form] = parrot.forms("/elsewhere")
    assert form["To"] == OTHER


async def test_a_number_cannot_be_pointed_at_what_is_no_url(sdk: Client, twilio: Simulator) -> None:
    sid = twilio.numbers[NUMBER].sid
    assert await refused(sdk.incoming_phone_numbers(sid).update_async(voice_url="voice")) == (400, 21205)
    assert await refused(sdk.incoming_phone_numbers(sid).update_async(voice_method="PUT")) == (400, 20001)
    assert await refused(sdk.incoming_phone_numbers("PN" + "0" * 32).update_async(friendly_name="x")) == (404, 20404)


async def test_the_account_is_shown(sdk: Client) -> None:
    assert (await sdk.api.accounts(ACCOUNT).fetch_async()).status == "active"


# ---- recordings ---------------------------------------------------------------------------------------------------


async def test_a_recording_holds_the_caller_left_and_the_agent_right_and_is_told_when_the_call_ends(
    sdk: Client, parrot: Parrot, twilio: Simulator
) -> None:
    async def talk(line: Line) -> None:
        sid = line.start["start"]["callSid"]
        await sdk.calls(sid).recordings.create_async(
            recording_channels="dual",
            trim="do-not-trim",
            recording_status_callback=f"{parrot.url}/recorded",
            recording_status_callback_event=["completed", "absent"],
        )
        await line.speak(tone(400))
        await line.mark("end")
        await line.next("mark")

    parrot.talk = talk
    parrot.answer("/recorded", "")
    outcome = await twilio.call(parse("name: x\nlines: [pause: 5000]"))
    assert outcome.ok
    [told] = parrot.forms("/recorded")
    assert (told["RecordingStatus"], told["RecordingChannels"]) == ("completed", "2")
    [listed] = await sdk.calls(outcome.call_sid).recordings.list_async()
    assert (listed.sid, listed.status, listed.channels) == (told["RecordingSid"], "completed", 2)
    async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), trust_env=False) as http:
        url = f"{twilio.rest_url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{listed.sid}.wav"
        stereo = (await http.get(url)).content
        assert stereo[22:24] == b"\x02\x00"
        mixed, rate = decode_wav((await http.get(url, params={"RequestedChannels": "1"})).content)
    assert rate == 8000
    assert np.abs(mixed).max() > 4000
    agent = np.frombuffer(stereo[44:], "<i2").reshape(-1, 2)[:, 1]
    assert np.count_nonzero(np.abs(agent) > 1000) > 0.3 * 8000
    assert await sdk.recordings(listed.sid).delete_async()
    assert await refused(sdk.recordings(listed.sid).fetch_async()) == (404, 20404)


async def test_only_a_call_in_progress_is_recorded(sdk: Client, parrot: Parrot, twilio: Simulator) -> None:
    outcome = await twilio.call(parse("name: x\nlines: [hang_up]"))
    recordings = sdk.calls(outcome.call_sid).recordings
    assert await refused(recordings.create_async()) == (400, 21220)


# ---- bad days -----------------------------------------------------------------------------------------------------


async def test_an_ordered_fault_is_met_once_by_the_request_that_it_is_for(sdk: Client, twilio: Simulator) -> None:
    twilio.faults.append(Fault(match="POST", status=429, code=20429, retry_after=3))
    assert await sdk.messages.list_async() == []
    assert await refused(sdk.messages.create_async(to=PERSON, from_=NUMBER, body="x")) == (429, 20429)
    assert twilio.messages == []
    await sdk.messages.create_async(to=PERSON, from_=NUMBER, body="x")
    assert len(twilio.messages) == 1


async def test_what_is_answered_with_a_failure_may_have_been_done(sdk: Client, twilio: Simulator) -> None:
    twilio.faults.append(Fault(status=500, done=True))
    with pytest.raises(TwilioRestException):
        await sdk.messages.create_async(to=PERSON, from_=NUMBER, body="x")
    assert len(twilio.messages) == 1


async def test_an_answer_can_come_late(sdk: Client, twilio: Simulator) -> None:
    twilio.faults.append(Fault(delay_ms=100, done=True))
    sending = asyncio.create_task(sdk.messages.create_async(to=PERSON, from_=NUMBER, body="x"))
    await eventually(lambda: twilio.messages)
    assert not sending.done()
    assert (await sending).sid == twilio.messages[0].sid
