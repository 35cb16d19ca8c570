"""Bad weather between the carrier and Twilio's API: what each act comes to, what is logged, and that nothing leaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import (
    DeadlineExceeded,
    Forbidden,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
    UpstreamFailed,
)
from scriza.ports.carrier import CallOrder
from scriza.simulator.options import Fault, Options
from scriza.simulator.scenario import parse
from scriza.simulator.simulator import Simulator
from scriza_adapters.twilio.carrier import TwilioCarrier
from tests.standins import bad_line
from tests.standins.bad_line import BadLine, Refusal
from tests.standins.parrot import Parrot, beeping_voice

ACCOUNT, NUMBER = Options().account_sid, Options().number
PERSON = "+14155550142"
TOKEN = "a-token-that-is-secret"
CALL = "CA" + "0" * 32
SINCE = datetime(2001, 1, 1, tzinfo=UTC)
ORDER = CallOrder(
    sender=NUMBER,
    to=PERSON,
    url="https://scriza.example/voice",
    fallback_url="https://scriza.example/voice/fallback",
    status_url="https://scriza.example/status-callback",
)
_SHORT, _LONG = 1.5, 10.0
"""Seconds that a carrier waits which is to wait in vain, and one that is to be answered."""
Act = Callable[[TwilioCarrier], Awaitable[object]]


def placing(carrier: TwilioCarrier) -> Awaitable[object]:
    return carrier.place_call(ORDER)


def texting(carrier: TwilioCarrier) -> Awaitable[object]:
    return carrier.send_sms(sender=NUMBER, to=PERSON, text="hello")


def looking(carrier: TwilioCarrier) -> Awaitable[object]:
    return carrier.find_calls(sender=NUMBER, to=PERSON, since=SINCE)


def hanging_up(carrier: TwilioCarrier) -> Awaitable[object]:
    return carrier.hang_up(CALL)


def listening(carrier: TwilioCarrier) -> Awaitable[object]:
    return carrier.recording("RE" + "0" * 32)


CREATING, REPEATABLE = (placing, texting), (looking, hanging_up, listening)


def in_twilios_words(status: int, code: int, *, retry_after: int | None = None) -> Refusal:
    body = json.dumps({"code": code, "message": f"{TOKEN} does not suit {PERSON}", "status": status})
    return Refusal(f"{status} {code}", status, body, retry_after=retry_after)


@asynccontextmanager
async def in_weather(fault: bad_line.Fault) -> AsyncIterator[TwilioCarrier]:
    """A carrier behind a line with this fault."""
    async with BadLine("http://127.0.0.1:9") as line:
        await line.turn(fault)
        url = line.secure_url if fault == bad_line.TLS else line.url
        patience = _SHORT if fault == bad_line.SLOW_HEADERS else _LONG
        carrier = TwilioCarrier(ACCOUNT, TOKEN, base_url=url, timeout=patience, pauses=(0.01, 0.01))
        yield carrier
        await carrier.close()


async def comes_to(act: Act, fault: bad_line.Fault) -> ScrizaError:
    """What the act raises; it is logged once, and nothing of it is a secret or somebody's number."""
    before = asyncio.all_tasks()
    async with in_weather(fault) as carrier:
        with capture_logs() as lines, pytest.raises(ScrizaError) as raised:
            await act(carrier)
    error: ScrizaError = raised.value
    told = [line for line in lines if line["log_level"] in ("warning", "error")]
    assert [line["event"] for line in told] == ["provider.failed"]
    for text in (str(lines), str(error), error.detail):
        assert TOKEN not in text
        assert PERSON[1:] not in text
        assert "Log in" not in text
    assert asyncio.all_tasks() - before == set()
    return error


@pytest.mark.parametrize("act", [*CREATING, *REPEATABLE])
@pytest.mark.parametrize("fault", [bad_line.REFUSED, bad_line.TLS])
async def test_what_never_reached_twilio_was_not_done(fault: str, act: Act) -> None:
    error = await comes_to(act, fault)
    assert type(error) is UpstreamFailed
    assert "cannot be reached" in error.detail
    assert ("secure" in error.detail) == (fault == bad_line.TLS)


@pytest.mark.parametrize("act", [*CREATING, *REPEATABLE])
async def test_what_is_not_answered_in_time_may_have_been_done(act: Act) -> None:
    assert type(await comes_to(act, bad_line.SLOW_HEADERS)) is DeadlineExceeded


@pytest.mark.parametrize("act", CREATING)
@pytest.mark.parametrize("fault", [bad_line.WRONG_TYPE, bad_line.BROKEN_JSON, bad_line.EMPTY])
async def test_an_answer_that_makes_no_sense_leaves_open_whether_it_was_done(fault: str, act: Act) -> None:
    assert type(await comes_to(act, fault)) is DeadlineExceeded


@pytest.mark.parametrize("fault", [bad_line.WRONG_TYPE, bad_line.BROKEN_JSON, bad_line.EMPTY])
async def test_a_list_that_makes_no_sense_is_a_failed_upstream(fault: str) -> None:
    assert type(await comes_to(looking, fault)) is UpstreamFailed


@pytest.mark.parametrize("act", [*CREATING, *REPEATABLE])
@pytest.mark.parametrize("status", [401, 403])
async def test_an_account_that_is_not_accepted_is_told_by_the_settings_names(status: int, act: Act) -> None:
    error = await comes_to(act, in_twilios_words(status, 20003))
    assert type(error) is Unavailable
    assert "TWILIO_AUTH_TOKEN" in error.detail
    assert "20003" in error.detail


@pytest.mark.parametrize("act", [placing, looking, listening])
async def test_what_does_not_exist_is_not_found(act: Act) -> None:
    assert type(await comes_to(act, in_twilios_words(404, 20404))) is NotFound


@pytest.mark.parametrize("act", [*CREATING, *REPEATABLE])
async def test_patience_is_told_with_how_long(act: Act) -> None:
    error = await comes_to(act, in_twilios_words(429, 20429, retry_after=7))
    assert type(error) is RateLimited
    assert error.retry_after == 7


@pytest.mark.parametrize("act", [*CREATING, *REPEATABLE])
async def test_patience_without_end_is_told_after_a_few_attempts(act: Act) -> None:
    assert type(await comes_to(act, in_twilios_words(429, 20429))) is RateLimited


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_after_a_failure_of_twilios_own_a_call_may_have_been_placed(status: int) -> None:
    assert type(await comes_to(placing, in_twilios_words(status, 20500))) is DeadlineExceeded


@pytest.mark.parametrize("act", REPEATABLE)
async def test_after_a_failure_of_twilios_own_the_rest_is_a_failed_upstream(act: Act) -> None:
    error = await comes_to(act, in_twilios_words(503, 20503))
    assert type(error) is UpstreamFailed
    assert "20503" in error.detail


@pytest.mark.parametrize(("status", "code"), [(400, 21211), (400, 13224), (402, 20005)])
async def test_a_refusal_is_told_by_its_number(status: int, code: int) -> None:
    error = await comes_to(placing, in_twilios_words(status, code))
    assert type(error) is UpstreamFailed
    assert str(code) in error.detail


async def test_whoever_has_opted_out_is_not_written_to() -> None:
    assert type(await comes_to(texting, in_twilios_words(400, 21610))) is Forbidden


# ---- with Twilio behind the line ----------------------------------------------------------------------------------


@asynccontextmanager
async def behind_a_line(*, timeout: float = _LONG) -> AsyncIterator[tuple[Simulator, BadLine, TwilioCarrier]]:
    callee = parse("name: callee\nlines: [pause: 20000]")
    async with (
        Parrot().serve() as parrot,
        Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice, rest_port=0, callee=callee) as twilio,
        BadLine(twilio.rest_url, middle=40) as line,
    ):
        carrier = TwilioCarrier(ACCOUNT, TOKEN, base_url=line.url, timeout=timeout, calls_per_second=100)
        yield twilio, line, carrier
        await carrier.close()


@pytest.mark.parametrize("fault", [bad_line.STALL, bad_line.CUT_OFF])
async def test_a_message_whose_answer_breaks_off_is_found_when_it_is_looked_for(fault: str) -> None:
    async with behind_a_line(timeout=_SHORT) as (twilio, line, carrier):
        await line.turn(fault)
        with pytest.raises(DeadlineExceeded):
            await texting(carrier)
        await line.turn(bad_line.FAIR)
        [found] = await carrier.find_messages(sender=NUMBER, to=PERSON, since=SINCE)
        assert (found.message_id, found.text) == (twilio.messages[0].sid, "hello")


async def test_a_call_whose_answer_is_lost_is_found_when_it_is_looked_for() -> None:
    async with behind_a_line() as (twilio, _, carrier):
        since = datetime.now(UTC)
        twilio.faults.append(Fault(match="POST", status=502, done=True))
        with pytest.raises(DeadlineExceeded):
            await placing(carrier)
        [found] = await carrier.find_calls(sender=NUMBER, to=PERSON, since=since)
        assert [found.call_id] == list(twilio.calls)


@pytest.mark.parametrize("fault", [in_twilios_words(500, 20500), bad_line.CUT_OFF, bad_line.BROKEN_JSON])
async def test_a_burst_of_failures_does_not_outlast_itself(fault: bad_line.Fault) -> None:
    """More of them than there are connections, so none may be kept by what has failed."""
    async with behind_a_line() as (twilio, line, carrier):
        await line.turn(fault)
        for _ in range(30):
            with pytest.raises(DeadlineExceeded):
                await texting(carrier)
        assert line.met == 30
        twilio.messages.clear()
        await line.turn(bad_line.FAIR)
        await texting(carrier)
        assert len(twilio.messages) == 1


async def test_a_message_is_sent_once_after_patience_was_asked_for() -> None:
    async with behind_a_line() as (twilio, _, carrier):
        twilio.faults.extend([Fault(status=429, code=20429, retry_after=0)] * 2)
        await texting(carrier)
        assert len(twilio.messages) == 1
