"""The simulated carrier's REST API, as Twilio's own client library sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Response
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from scriza.kernel.errors import Conflict, NotFound
from scriza.simulator.options import Options
from scriza.simulator.scenario import parse
from scriza.simulator.simulator import Simulator
from tests.standins.parrot import Line, Parrot, beeping_voice, tone
from tests.waiting import eventually

TOKEN = "local-token"
ACCOUNT = Options().account_sid
NUMBER = Options().number
CALLEE = "+14155550142"
API = f"/2010-04-01/Accounts/{ACCOUNT}"


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with Parrot().serve() as serving:
        serving.answer("/voice", f"<Connect>{serving.stream()}</Connect>")
        yield serving


@pytest.fixture
async def twilio(parrot: Parrot) -> AsyncIterator[Simulator]:
    callee = parse("name: callee\nlines: [pause: 5000]")
    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice, rest_port=0, callee=callee) as simulator:
        yield simulator


def client(simulator: Simulator, token: str = TOKEN) -> Client:
    made = Client(ACCOUNT, token)
    made.api.base_url = simulator.rest_url
    return made


async def ask(act: Callable[[], Any]) -> Any:
    """The library blocks, so it runs beside the loop that serves it."""
    return await asyncio.to_thread(act)


async def refused(act: Callable[[], Any]) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as error:
        await ask(act)
    return error.value.status, error.value.code


async def raw(simulator: Simulator, method: str, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, auth=(ACCOUNT, TOKEN)) as http:
        return await http.request(method, simulator.rest_url + path, **more)


async def test_a_call_that_is_placed_rings_is_answered_and_asks_for_its_document(
    parrot: Parrot, twilio: Simulator
) -> None:
    async def talk(line: Line) -> None:
        await line.speak(tone(200))
        await line.mark("end")
        await line.next("mark")

    parrot.talk = talk
    rest = client(twilio)
    placed = await ask(
        lambda: rest.calls.create(
            to=CALLEE,
            from_=NUMBER,
            url=f"{parrot.url}/voice",
            status_callback=f"{parrot.url}/status-callback",
            status_callback_event=["initiated", "ringing", "answered", "completed"],
        )
    )
    assert placed.direction == "outbound-api"
    outcome = await twilio.outcome(placed.sid)
    assert outcome.ok
    assert outcome.agent
    assert (outcome.status, outcome.ended_by) == ("completed", "agent")
    told = [(form["CallStatus"], form["SequenceNumber"]) for form in parrot.forms("/status-callback")]
    assert told == [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")]
    [voice] = parrot.forms("/voice")
    assert (voice["CallSid"], voice["To"], voice["From"]) == (placed.sid, CALLEE, NUMBER)
    assert voice["CallStatus"] == "in-progress"
    validator = RequestValidator(TOKEN)
    assert all(
        validator.validate(parrot.url + path, form, head["x-twilio-signature"]) for path, form, head in parrot.requests
    )

    fetched = await ask(lambda: rest.calls(placed.sid).fetch())
    assert (fetched.status, fetched.duration) == ("completed", parrot.forms("/status-callback")[-1]["CallDuration"])
    listed = await ask(lambda: rest.calls.list(to=CALLEE))
    assert [call.sid for call in listed] == [placed.sid]


async def test_a_urls_fragment_says_how_to_retry_and_is_not_signed(parrot: Parrot, twilio: Simulator) -> None:
    parrot.answer("/status", Response("", status_code=404), Response("", status_code=500), "")
    twilio.callee = parse("name: callee\nlines: []\nanswer: {pickup: busy, after_ms: 0}")
    callback = f"{parrot.url}/status?a=1#rc=3&rp=4xx,5xx"
    placed = await ask(
        lambda: client(twilio).calls.create(
            to=CALLEE, from_=NUMBER, url=f"{parrot.url}/voice", status_callback=callback
        )
    )
    assert (await twilio.outcome(placed.sid)).ok
    assert len(parrot.requests) == 3
    _, form, headers = parrot.requests[-1]
    del form["a"]
    assert RequestValidator(TOKEN).validate(f"{parrot.url}/status?a=1", form, headers["x-twilio-signature"])


@pytest.mark.parametrize("pickup", ["busy", "no-answer", "failed"])
async def test_a_call_that_is_not_answered_ends_with_its_reason(parrot: Parrot, twilio: Simulator, pickup: str) -> None:
    twilio.callee = parse(f"name: callee\nlines: []\nanswer: {{pickup: {pickup}, after_ms: 50}}")
    placed = await ask(
        lambda: client(twilio).calls.create(
            to=CALLEE, from_=NUMBER, url=f"{parrot.url}/voice", status_callback=f"{parrot.url}/status-callback"
        )
    )
    outcome = await twilio.outcome(placed.sid)
    assert outcome.status == pickup
    assert [form["CallStatus"] for form in parrot.forms("/status-callback")] == [pickup]
    assert not parrot.forms("/voice")


async def test_a_phone_rings_no_longer_than_the_timeout(parrot: Parrot, twilio: Simulator) -> None:
    twilio.callee = parse("name: callee\nlines: []\nanswer: {after_ms: 60000}")
    placed = await ask(
        lambda: client(twilio).calls.create(to=CALLEE, from_=NUMBER, url=f"{parrot.url}/voice", timeout=1)
    )
    assert (await twilio.outcome(placed.sid)).status == "no-answer"


async def test_a_ringing_call_can_be_canceled(parrot: Parrot, twilio: Simulator) -> None:
    twilio.callee = parse("name: callee\nlines: []\nanswer: {after_ms: 60000}")
    rest = client(twilio)
    placed = await ask(lambda: rest.calls.create(to=CALLEE, from_=NUMBER, url=f"{parrot.url}/voice"))
    await ask(lambda: rest.calls(placed.sid).update(status="canceled"))
    assert (await twilio.outcome(placed.sid)).status == "canceled"


async def test_completing_a_call_stops_its_stream_and_hangs_up(parrot: Parrot, twilio: Simulator) -> None:
    rest = client(twilio)

    async def talk(line: Line) -> None:
        await ask(lambda: rest.calls(line.start["start"]["callSid"]).update(status="completed"))
        await line.next("stop")

    parrot.talk = talk
    outcome = await twilio.call(parse("name: x\nlines: [pause: 5000]"))
    assert (outcome.status, outcome.ended_by) == ("completed", "agent")
    await eventually(lambda: parrot.lines[0].received and parrot.lines[0].received[-1]["event"] == "stop")
    assert await refused(lambda: rest.calls(outcome.call_sid).update(status="completed")) == (404, 20404)


async def test_a_new_document_replaces_the_stream(parrot: Parrot, twilio: Simulator) -> None:
    rest = client(twilio)

    async def talk(line: Line) -> None:
        sid = line.start["start"]["callSid"]
        await ask(
            lambda: rest.calls(sid).update(twiml="<Response><Redirect>" + parrot.url + "/next</Redirect></Response>")
        )
        await line.next("stop")

    parrot.talk = talk
    parrot.answer("/next", "<Hangup/>")
    outcome = await twilio.call(parse("name: x\nlines: [pause: 5000]"))
    assert outcome.ok
    assert len(parrot.forms("/next")) == 1
    assert outcome.ended_by == "agent"


async def test_messages_are_kept_and_shown_in_the_outcome(parrot: Parrot, twilio: Simulator) -> None:
    rest = client(twilio)

    async def talk(line: Line) -> None:
        for to in ("+14155550123", "+14155550999"):
            await ask(lambda to=to: rest.messages.create(to=to, from_=NUMBER, body="Reply with a time ✓"))

    parrot.talk = talk
    outcome = await twilio.call(parse("name: x\nlines: [pause: 5000]"))
    assert [(message.to, message.text) for message in outcome.messages] == [("+14155550123", "Reply with a time ✓")]
    assert len(twilio.messages) == 2
    fetched = await ask(lambda: rest.messages(twilio.messages[1].sid).fetch())
    assert (fetched.to, fetched.body, fetched.direction) == ("+14155550999", "Reply with a time ✓", "outbound-api")


async def test_a_message_that_comes_just_after_the_call_is_waited_for(parrot: Parrot, twilio: Simulator) -> None:
    ended = asyncio.Event()

    def note_the_end(form: dict[str, str]) -> str:
        ended.set()
        return ""

    parrot.twiml["/status-callback"] = note_the_end
    running = asyncio.create_task(
        twilio.call(parse("name: x\nlines: [hang_up]\nexpect: {messages: 1, ended_by: caller}"))
    )
    await ended.wait()
    await ask(lambda: client(twilio).messages.create(to="+14155550123", from_=NUMBER, body="hello"))
    assert (await running).ok


async def test_twilios_refusals_have_twilios_numbers(twilio: Simulator) -> None:
    rest = client(twilio)
    voice = "https://scriza.example/voice"
    calls, messages = rest.calls, rest.messages
    assert await refused(lambda: client(twilio, "wrong").calls("CA1").fetch()) == (401, 20003)
    assert await refused(lambda: calls("CA1").fetch()) == (404, 20404)
    assert await refused(lambda: messages("SM1").fetch()) == (404, 20404)
    assert await refused(lambda: calls.create(to="bob", from_=NUMBER, url=voice)) == (400, 21211)
    assert await refused(lambda: calls.create(to=CALLEE, from_="+14155550000", url=voice)) == (400, 21210)
    assert await refused(lambda: calls.create(to=CALLEE, from_=NUMBER)) == (400, 21205)
    assert await refused(lambda: calls.create(to=CALLEE, from_=NUMBER, url="/voice")) == (400, 21205)
    assert await refused(lambda: calls.create(to=CALLEE, from_=NUMBER, url=voice, twiml="<Response/>")) == (400, 20001)
    assert await refused(lambda: calls.create(to=CALLEE, from_=NUMBER, twiml="x" * 4001)) == (400, 20001)
    assert await refused(lambda: calls.create(to=CALLEE, from_=NUMBER, url=voice, timeout=601)) == (400, 20001)
    assert await refused(
        lambda: calls.create(to=CALLEE, from_=NUMBER, url=voice, status_callback_event=["answer"])
    ) == (400, 21626)
    assert await refused(lambda: messages.create(to=CALLEE, from_=NUMBER)) == (400, 21602)
    assert await refused(lambda: messages.create(to=CALLEE, from_=NUMBER, body="x" * 1601)) == (400, 21617)
    assert await refused(lambda: messages.create(to="7", from_=NUMBER, body="x")) == (400, 21211)
    assert await refused(lambda: messages.create(to=CALLEE, body="x")) == (400, 21603)
    assert await refused(lambda: messages.create(to=CALLEE, from_="+14155550000", body="x")) == (400, 21606)
    assert not twilio.messages
    assert not twilio.calls


async def test_bodies_that_are_no_forms_and_parameters_that_do_not_exist_are_refused(twilio: Simulator) -> None:
    good = {"To": CALLEE, "From": NUMBER, "Body": "x"}
    for more in ({"json": good}, {"data": good | {"Boddy": "x"}}, {"content": b"\xff", "headers": FORM}):
        answer = await raw(twilio, "POST", f"{API}/Messages.json", **more)
        assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert (await raw(twilio, "POST", f"{API}/Messages.json", data=good)).status_code == 201
    other = await raw(twilio, "POST", "/2010-04-01/Accounts/ACother/Messages.json", data=good)
    assert other.status_code == 401


FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_a_taken_port_is_said(twilio: Simulator) -> None:
    port = int(twilio.rest_url.rsplit(":", 1)[1])
    with pytest.raises(Conflict, match=str(port)):
        async with Simulator("http://127.0.0.1:9", auth_token=TOKEN, voice=beeping_voice, rest_port=port):
            pass


async def test_only_calls_that_rest_placed_can_be_waited_for(twilio: Simulator) -> None:
    with pytest.raises(NotFound):
        await twilio.outcome("CA1")


async def test_leaving_breaks_off_what_still_runs(parrot: Parrot) -> None:
    begun = asyncio.Event()

    async def talk(line: Line) -> None:
        begun.set()
        await line.next("stop")

    parrot.talk = talk
    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice, rest_port=0) as twilio:
        placed = await ask(lambda: client(twilio).calls.create(to=CALLEE, from_=NUMBER, url=f"{parrot.url}/voice"))
        outcome = asyncio.ensure_future(twilio.outcome(placed.sid))
        await begun.wait()
    with pytest.raises(asyncio.CancelledError):
        await outcome
