"""The carrier and the webhooks against `emulate`, a stand-in for Twilio that other people have written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from twilio.request_validator import RequestValidator

from scriza.kernel.errors import NotFound, Unavailable, UpstreamFailed
from scriza.ports.carrier import CallOrder
from scriza_adapters.twilio.carrier import TwilioCarrier
from tests.running_scriza import running_scriza
from tests.standins.emulate import ACCOUNT, MISSING, NUMBER, TOKEN, is_installed, running_emulate
from tests.standins.parrot import Parrot
from tests.waiting import eventually

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(200),
    pytest.mark.skipif(not is_installed(), reason=MISSING),
]
PERSON = "+14155550142"


@pytest.fixture(scope="module")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_emulate(tmp_path_factory.mktemp("emulate")) as url:
        yield url


@pytest.fixture
async def carrier(emulate: str) -> AsyncIterator[TwilioCarrier]:
    made = TwilioCarrier(ACCOUNT, TOKEN, base_url=emulate, calls_per_second=100)
    yield made
    await made.close()


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with Parrot().serve() as serving:
        serving.answer("/status-callback", "")
        yield serving


def order(url: str) -> CallOrder:
    return CallOrder(
        sender=NUMBER,
        to=PERSON,
        url=f"{url}/voice",
        fallback_url=f"{url}/voice/fallback",
        status_url=f"{url}/status-callback",
        answered_by_url=f"{url}/voice/answered-by",
    )


async def test_a_call_that_is_placed_is_found_led_and_hung_up(carrier: TwilioCarrier, parrot: Parrot) -> None:
    since = datetime.now(UTC)
    call_id = await carrier.place_call(order(parrot.url))
    found = await carrier.find_calls(sender=NUMBER, to=PERSON, since=since)
    assert (found[0].call_id, found[0].status) == (call_id, "ringing")
    assert await carrier.find_calls(sender=NUMBER, to=PERSON, since=since + timedelta(hours=1)) == []
    assert await carrier.redirect(call_id, "<Response><Hangup/></Response>")
    await carrier.hang_up(call_id)
    [ended, *_] = await carrier.find_calls(sender=NUMBER, to=PERSON, since=since)
    assert (ended.call_id, ended.status) == (call_id, "completed")
    await eventually(lambda: len(parrot.forms("/status-callback")) == 2)
    told = parrot.forms("/status-callback")
    assert [(form["CallSid"], form["CallStatus"]) for form in told] == [(call_id, "ringing"), (call_id, "completed")]


async def test_its_status_callbacks_are_signed_over_a_fragment_that_is_never_sent(
    carrier: TwilioCarrier, parrot: Parrot
) -> None:
    await carrier.place_call(order(parrot.url))
    await eventually(lambda: parrot.requests)
    path, form, headers = parrot.requests[0]
    signature = headers["x-twilio-signature"]
    assert RequestValidator(TOKEN).validate(f"{parrot.url}{path}#rc=3&rp=all", form, signature)
    assert not RequestValidator(TOKEN).validate(f"{parrot.url}{path}", form, signature)


async def test_a_message_that_is_sent_is_found(carrier: TwilioCarrier) -> None:
    since = datetime.now(UTC)
    message_id = await carrier.send_sms(sender=NUMBER, to=PERSON, text="100 % & more ✓")
    [found, *_] = await carrier.find_messages(sender=NUMBER, to=PERSON, since=since)
    assert (found.message_id, found.text) == (message_id, "100 % & more ✓")


async def test_its_refusals_are_understood(emulate: str, carrier: TwilioCarrier) -> None:
    with pytest.raises(UpstreamFailed, match="error 21"):
        await carrier.send_sms(sender="+14155550100", to=PERSON, text="hello")
    await carrier.hang_up("CA" + "f" * 32)
    assert not await carrier.redirect("CA" + "f" * 32, "<Response/>")
    with pytest.raises(NotFound):
        await carrier.recordings("CA" + "f" * 32)
    stranger = TwilioCarrier(ACCOUNT, "stale", base_url=emulate)
    with pytest.raises(Unavailable, match="TWILIO_AUTH_TOKEN"):
        await stranger.check()
    await stranger.close()


async def test_a_number_is_pointed_here_and_its_signed_webhooks_are_taken(
    emulate: str, carrier: TwilioCarrier, tmp_path: Path
) -> None:
    await carrier.check()
    settings = {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_BASE_URL": emulate,
        "SCRIZA_ASR_ENGINE": "pocketsphinx",
    }
    with running_scriza(tmp_path / "one", **settings) as scriza:
        url = await asyncio.to_thread(lambda: scriza.url)
        [number] = await carrier.numbers()
        await carrier.point_number(
            number.number_id,
            voice_url=f"{url}/voice",
            fallback_url=f"{url}/voice/fallback",
            status_url=f"{url}/status-callback",
            sms_url=f"{url}/sms",
        )
        [number] = await carrier.numbers()
        assert (number.number, number.voice_url, number.sms_url) == (NUMBER, f"{url}/voice", f"{url}/sms")
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), trust_env=False) as person:
            called = await person.post(f"{emulate}/_twilio/simulate/inbound-call", data={"To": NUMBER, "From": PERSON})
            call_id = called.json()["sid"]
            await person.post(
                f"{emulate}/_twilio/simulate/call-status", data={"CallSid": call_id, "Status": "completed"}
            )
        async with httpx.AsyncClient(
            headers={"authorization": f"Bearer {scriza.token}"}, base_url=url, trust_env=False
        ) as api:
            record = (await api.get(f"/api/v1/calls/{call_id}")).json()
        assert (record["call_id"], record["status"]) == (call_id, "completed")
