"""What the carrier is asked for, against the strict simulator, and against a server with Twilio's bad days."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scriza.kernel.errors import (
    BadInput,
    DeadlineExceeded,
    Forbidden,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
    UpstreamFailed,
)
from scriza.ports.carrier import CallOrder, Recording
from scriza.simulator.options import Options
from scriza.simulator.scenario import parse
from scriza.simulator.simulator import Simulator
from scriza_adapters.twilio.carrier import TwilioCarrier
from tests.serving import serving
from tests.standins.parrot import Parrot, beeping_voice
from tests.waiting import eventually

ACCOUNT = Options().account_sid
NUMBER = Options().number
CALLER = "+14155550142"
TOKEN = "local-token"


@asynccontextmanager
async def carrier_at(url: str, *, token: str = TOKEN, timeout: float = 5.0) -> AsyncIterator[TwilioCarrier]:
    carrier = TwilioCarrier(
        ACCOUNT, token, base_url=url, timeout=timeout, calls_per_second=100, pauses=(0.02, 0.02, 0.02)
    )
    try:
        yield carrier
    finally:
        await carrier.close()


def order(twilio: Simulator, *, answered_by_url: str = "") -> CallOrder:
    url = twilio.numbers[NUMBER].voice_url
    return CallOrder(
        sender=NUMBER,
        to=CALLER,
        url=url,
        fallback_url=url,
        status_url="http://127.0.0.1:9/status-callback",
        answered_by_url=answered_by_url,
        ring_seconds=20,
        longest_seconds=600,
    )


@pytest.fixture
async def twilio() -> AsyncIterator[Simulator]:
    callee = parse("name: callee\nlines: [pause: 20000]")
    async with Parrot().serve() as parrot:
        parrot.answer("/voice", f"<Connect>{parrot.stream()}</Connect>")
        async with Simulator(
            parrot.url, auth_token=TOKEN, voice=beeping_voice, rest_port=0, callee=callee
        ) as simulator:
            yield simulator


@pytest.fixture
async def carrier(twilio: Simulator) -> AsyncIterator[TwilioCarrier]:
    async with carrier_at(twilio.rest_url) as made:
        yield made


# ---- as it should be ----------------------------------------------------------------------------------------------


async def test_a_text_message_arrives_as_it_was_written(twilio: Simulator, carrier: TwilioCarrier) -> None:
    text = "We could not hear you. Shall we call back? ✓ 100 % & more"
    sid = await carrier.send_sms(sender=NUMBER, to=CALLER, text=text)
    (message,) = twilio.messages
    assert (message.sid, message.to, message.text) == (sid, CALLER, text)


async def test_what_twilio_refuses_is_told_by_its_number_and_without_personal_data(carrier: TwilioCarrier) -> None:
    with pytest.raises(UpstreamFailed, match=r"HTTP 400, error 21\d\d\d") as refused:
        await carrier.send_sms(sender=NUMBER, to="+1415", text="hello")
    assert "1415" not in refused.value.detail


async def test_a_wrong_token_is_refused(twilio: Simulator) -> None:
    async with carrier_at(twilio.rest_url, token="stale") as stranger:
        with pytest.raises(Unavailable, match=r"TWILIO_AUTH_TOKEN \(HTTP 401, error 20003\)"):
            await stranger.send_sms(sender=NUMBER, to=CALLER, text="hello")


@pytest.mark.parametrize("text", ["", "  ", "x" * 1601])
async def test_a_text_that_cannot_be_sent_never_leaves(twilio: Simulator, carrier: TwilioCarrier, text: str) -> None:
    with pytest.raises(BadInput):
        await carrier.send_sms(sender=NUMBER, to=CALLER, text=text)
    assert twilio.messages == []


async def test_whoever_has_texted_stop_is_not_written_to(twilio: Simulator, carrier: TwilioCarrier) -> None:
    twilio.opt_outs.hear(CALLER, NUMBER, "STOP")
    with pytest.raises(Forbidden, match="error 21610"):
        await carrier.send_sms(sender=NUMBER, to=CALLER, text="hello")


async def test_messages_are_found_by_both_numbers_and_time(carrier: TwilioCarrier) -> None:
    since = datetime.now(UTC)
    sent = [await carrier.send_sms(sender=NUMBER, to=CALLER, text=text) for text in ("one", "two")]
    found = await carrier.find_messages(sender=NUMBER, to=CALLER, since=since)
    assert [(message.message_id, message.text) for message in found] == [(sent[1], "two"), (sent[0], "one")]
    assert await carrier.find_messages(sender=NUMBER, to="+14155550199", since=since) == []
    assert await carrier.find_messages(sender=NUMBER, to=CALLER, since=since + timedelta(minutes=1)) == []


async def test_a_call_is_placed_with_all_that_was_ordered(twilio: Simulator, carrier: TwilioCarrier) -> None:
    call_id = await carrier.place_call(order(twilio, answered_by_url="https://scriza.example/voice/answered-by"))
    plan = twilio.calls[call_id].plan
    assert (plan.caller, plan.callee) == (NUMBER, CALLER)
    assert plan.status_events == ("initiated", "ringing", "answered", "completed")
    assert (plan.ring_timeout_ms, plan.time_limit_ms) == (20_000, 600_000)
    assert (plan.detection, plan.answered_by_callback.partition("#")[0]) == (
        "DetectMessageEnd",
        "https://scriza.example/voice/answered-by",
    )


async def test_a_call_is_found_while_it_waits_in_the_queue(twilio: Simulator, carrier: TwilioCarrier) -> None:
    since = datetime.now(UTC)
    call_id = await carrier.place_call(order(twilio))
    [found] = await carrier.find_calls(sender=NUMBER, to=CALLER, since=since)
    assert found.call_id == call_id
    assert found.created_at.tzinfo is UTC
    assert await carrier.find_calls(sender=NUMBER, to=CALLER, since=since + timedelta(minutes=1)) == []
    assert await carrier.find_calls(sender=NUMBER, to=NUMBER, since=since) == []


async def test_calls_are_begun_no_faster_than_the_account_may(twilio: Simulator) -> None:
    slow = TwilioCarrier(ACCOUNT, TOKEN, base_url=twilio.rest_url, calls_per_second=0.001)
    await slow.place_call(order(twilio))
    with pytest.raises(RateLimited) as refused:
        await slow.place_call(order(twilio))
    assert refused.value.retry_after is not None
    assert 900 < refused.value.retry_after <= 1000
    assert len(twilio.calls) == 1
    await slow.close()


async def test_a_ringing_call_is_hung_up_and_a_dead_one_may_be_again(twilio: Simulator, carrier: TwilioCarrier) -> None:
    twilio.callee = parse("name: callee\nlines: []\nanswer: {after_ms: 60000}")
    call_id = await carrier.place_call(order(twilio))
    await carrier.hang_up(call_id)
    assert (await twilio.outcome(call_id)).status == "canceled"
    await carrier.hang_up(call_id)
    await carrier.hang_up("CA" + "0" * 32)


async def test_a_live_call_gets_new_instructions_and_a_dead_one_none(twilio: Simulator, carrier: TwilioCarrier) -> None:
    hang_up = "<Response><Hangup/></Response>"
    call_id = await carrier.place_call(order(twilio))
    await eventually(lambda: twilio.calls[call_id].status == "in-progress")
    assert await carrier.redirect(call_id, hang_up)
    await twilio.outcome(call_id)
    assert not await carrier.redirect(call_id, hang_up)
    with pytest.raises(BadInput):
        await carrier.redirect(call_id, "x" * 4001)


async def test_a_ringing_call_cannot_be_given_instructions_and_is_not_taken_for_dead(
    twilio: Simulator, carrier: TwilioCarrier
) -> None:
    twilio.callee = parse("name: callee\nlines: []\nanswer: {after_ms: 60000}")
    call_id = await carrier.place_call(order(twilio))
    with pytest.raises(UpstreamFailed, match="not answered yet"):
        await carrier.redirect(call_id, "<Response><Hangup/></Response>")


async def test_a_recording_is_stereo_and_can_be_forgotten(twilio: Simulator, carrier: TwilioCarrier) -> None:
    call_id = await carrier.place_call(order(twilio))
    await eventually(lambda: twilio.calls[call_id].status == "in-progress")
    recording_id = await carrier.start_recording(call_id, status_url="http://127.0.0.1:9/recording-callback")
    assert await carrier.recordings(call_id) == [Recording(recording_id, "in-progress", 2, None)]
    with pytest.raises(NotFound):
        await carrier.recording(recording_id)
    await asyncio.sleep(0.1)  # there must be something to hear
    await carrier.hang_up(call_id)
    await twilio.outcome(call_id)
    [complete] = await carrier.recordings(call_id)
    assert (complete.status, complete.channels) == ("completed", 2)
    wav = await carrier.recording(recording_id)
    assert (wav[:4], wav[22:24]) == (b"RIFF", b"\x02\x00")
    for _ in range(2):
        await carrier.delete_recording(recording_id)
    assert await carrier.recordings(call_id) == []


async def test_numbers_come_from_all_pages_and_lead_where_they_are_pointed() -> None:
    more = tuple(f"+1415556{index:04}" for index in range(1200))
    async with (
        Simulator(
            "http://127.0.0.1:9", auth_token=TOKEN, voice=beeping_voice, rest_port=0, options=Options(more_numbers=more)
        ) as twilio,
        carrier_at(twilio.rest_url) as carrier,
    ):
        numbers = await carrier.numbers()
        assert [number.number for number in numbers] == [NUMBER, *more]
        await carrier.point_number(
            numbers[3].number_id,
            voice_url="https://a/1",
            fallback_url="https://a/2",
            status_url="https://a/3",
            sms_url="",
        )
        pointed = (await carrier.numbers())[3]
        assert (pointed.voice_url, pointed.fallback_url, pointed.status_url, pointed.sms_url) == (
            *("https://a/1", "https://a/2", "https://a/3"),
            "",
        )
        with pytest.raises(NotFound):
            await carrier.point_number("PN1", voice_url="", fallback_url="", status_url="", sms_url="")


async def test_an_account_that_works_passes_the_check(twilio: Simulator, carrier: TwilioCarrier) -> None:
    await carrier.check()
    twilio.auth_token = "another"
    with pytest.raises(Unavailable):
        await carrier.check()


# ---- bad days -----------------------------------------------------------------------------------------------------


class BadDay:
    """Answers every request with this, `delay` seconds later."""

    def __init__(
        self, status: int, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = (), *, delay: float = 0.0
    ) -> None:
        self.status, self.body, self.headers, self.delay = status, body, headers, delay
        self.then: tuple[int, bytes] | None = None
        """Answers every request after the first one."""
        self.requests: list[tuple[str, str]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.requests.append((scope["path"], dict(scope["headers"])[b"authorization"].decode()))
        await asyncio.sleep(self.delay)
        if self.then and len(self.requests) > 1:
            self.status, self.body = self.then
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


async def test_a_message_of_a_trial_account_is_found_as_it_was_written() -> None:
    listed = {"sid": "SM1", "date_created": "Mon, 02 Mar 2026 12:00:00 +0000"}
    listed["body"] = "Sent from your Twilio trial account - Shall we call back?"
    day = BadDay(200, json.dumps({"messages": [listed]}).encode())
    async with serving(day, lifespan="off") as url, carrier_at(url) as carrier:
        [found] = await carrier.find_messages(sender=NUMBER, to=CALLER, since=datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert found.text == "Shall we call back?"


async def outcome(day: BadDay, *, timeout: float = 5.0) -> ScrizaError | None:
    """What sending a message comes to."""
    async with serving(day, lifespan="off", log_level="critical") as url, carrier_at(url, timeout=timeout) as carrier:
        try:
            await carrier.send_sms(sender=NUMBER, to=CALLER, text="hello")
        except ScrizaError as error:
            return error
    return None


async def test_a_request_carries_the_account() -> None:
    day = BadDay(200, b'{"sid": "SM1"}')
    assert await outcome(day) is None
    credentials = "Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert day.requests == [(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", credentials)]


@pytest.mark.parametrize("status", [301, 400, 403])
async def test_a_refusal_is_a_failed_upstream_and_is_not_tried_again(status: int) -> None:
    day = BadDay(status, b'{"code": 30001, "message": "no"}', ((b"retry-after", b"7"),))
    error = await outcome(day)
    assert type(error) is UpstreamFailed
    assert f"HTTP {status}, error 30001" in error.detail
    assert error.retry_after == 7
    assert len(day.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_failed_may_have_done_it_and_is_not_asked_again(status: int) -> None:
    day = BadDay(status, b'{"code": 30001, "message": "no"}')
    error = await outcome(day)
    assert type(error) is DeadlineExceeded
    assert f"HTTP {status}, error 30001" in error.detail
    assert len(day.requests) == 1


async def test_an_error_that_cannot_be_read_is_still_told() -> None:
    for body in (b"<html>Bad Request</html>", b'{"code": "x"}', b""):
        error = await outcome(BadDay(400, body, ((b"retry-after", b"Wed, 21 Oct 2026 07:28:00 GMT"),)))
        assert type(error) is UpstreamFailed
        assert "HTTP 400, error 0" in error.detail
        assert error.retry_after is None


async def test_a_message_whose_id_cannot_be_read_may_have_been_sent() -> None:
    for body in (b"[]", b"<html>Log in to this network</html>", b'{"sid": '):
        assert type(await outcome(BadDay(201, body))) is DeadlineExceeded


async def test_patience_is_had_a_few_times_and_then_told() -> None:
    day = BadDay(429, b'{"code": 20429}')
    error = await outcome(day)
    assert type(error) is RateLimited
    assert error.retry_after is None
    assert len(day.requests) == 4


async def test_patience_for_as_long_as_twilio_says_is_told_when_it_is_too_long() -> None:
    day = BadDay(429, b'{"code": 20429}', ((b"retry-after", b"60"),))
    error = await outcome(day)
    assert type(error) is RateLimited
    assert error.retry_after == 60
    assert len(day.requests) == 1


async def test_what_was_asked_too_soon_is_done_a_moment_later() -> None:
    day = BadDay(429, b'{"code": 20429}', ((b"retry-after", b"0"),))
    day.then = (201, b'{"sid": "SM1"}')
    assert await outcome(day) is None
    assert len(day.requests) == 2


async def test_no_answer_in_time_says_that_it_may_have_been_done() -> None:
    assert type(await outcome(BadDay(201, delay=60.0), timeout=1.0)) is DeadlineExceeded


async def test_a_connection_that_breaks_off_says_that_it_may_have_been_done() -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(breaking, "127.0.0.1", 0)
    async with server, carrier_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as carrier:
        with pytest.raises(DeadlineExceeded):
            await carrier.send_sms(sender=NUMBER, to=CALLER, text="hello")


async def test_a_server_that_is_not_there_was_not_asked() -> None:
    async with carrier_at("http://127.0.0.1:9") as carrier:
        with pytest.raises(UpstreamFailed, match="cannot be reached"):
            await carrier.send_sms(sender=NUMBER, to=CALLER, text="hello")
