"""What the simulated carrier asks and tells a scripted server, who answers its calls, and what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Response
from twilio.request_validator import RequestValidator

from scriza.audio.tones import dial_tones
from scriza.simulator.options import Options
from scriza.simulator.report import Happening
from scriza.simulator.simulator import Simulator
from scriza.simulator.webhooks import Policy
from tests.integration.simulator_rig import HANG_UP, TOKEN, codes, greeting, place, scenario, talks, words
from tests.standins.parrot import Line, Parrot, beeping_voice, tone


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with greeting() as parrot:
        yield parrot


# --- requests and handshakes


async def test_webhooks_and_handshakes_are_signed_and_forms_are_complete(parrot: Parrot) -> None:
    stream = parrot.stream("t", '<Parameter name="a" value="b"/>')
    parrot.answer("/voice", f"<Connect>{stream}</Connect>")
    outcome = await place(parrot, scenario(HANG_UP))
    assert outcome.ok
    assert [path for path, _, _ in parrot.requests] == ["/voice", "/status-callback"]
    validator = RequestValidator(TOKEN)
    for path, form, headers in parrot.requests:
        assert validator.validate(parrot.url + path, form, headers["x-twilio-signature"])
    _, handshake = parrot.handshakes[0]
    url = parrot.url.replace("http", "ws") + "/stream/t"
    assert validator.compute_signature(url, {}) == handshake["x-twilio-signature"]

    voice, ended = (form for _, form, _ in parrot.requests)
    assert voice["CallStatus"] == "ringing"
    assert voice["Direction"] == "inbound"
    assert (voice["From"], voice["To"]) == ("+14155550123", "+14155550100")
    assert [voice[name] for name in ("ToState", "ToZip", "CalledCity", "FromZip")] == ["", "", "", ""]
    assert ended["CallStatus"] == "completed"
    assert {"CallDuration", "Timestamp", "SequenceNumber", "CallbackSource"} <= set(ended)
    start = parrot.lines[0].start["start"]
    assert (start["callSid"], start["customParameters"]) == (voice["CallSid"], {"a": "b"})


async def test_requests_are_signed_for_the_public_url_and_sent_to_the_target(parrot: Parrot) -> None:
    parrot.answer("/voice", '<Connect action="/voice/after"><Stream url="wss://calls.example/stream/t?x=1"/></Connect>')
    parrot.answer("/voice/after", "<Hangup/>")
    parrot.talk = talks()
    outcome = await place(parrot, scenario(), Options(public_url="https://calls.example"))
    assert outcome.ok
    validator = RequestValidator(TOKEN)
    for path, form, headers in parrot.requests:
        assert validator.validate("https://calls.example" + path, form, headers["x-twilio-signature"])
    signature = parrot.handshakes[0][1]["x-twilio-signature"]
    assert validator.compute_signature("wss://calls.example/stream/t", {}) == signature


# --- who answers


async def test_a_machine_is_told_of_when_it_has_beeped(parrot: Parrot) -> None:
    machine = "answer: {after_ms: 50, by: machine_end_beep}\ndirection: outbound"
    outcome = await place(parrot, scenario("say: hello, beep, pause: 300, hang_up", machine))
    (told,) = parrot.forms("/voice/answered-by")
    assert (told["CallSid"], told["AnsweredBy"]) == (outcome.call_sid, "machine_end_beep")
    beep = next(utterance for utterance in outcome.utterances if utterance.kind == "beep")
    assert outcome.answered_at_ms is not None
    assert int(told["MachineDetectionDuration"]) >= beep.end_ms - outcome.answered_at_ms - 20
    assert parrot.forms("/voice")[0]["Direction"] == "outbound-api"


async def test_a_person_is_told_of_after_a_while_and_not_once_the_call_is_over(parrot: Parrot) -> None:
    early, late = (f"direction: outbound\nanswer: {{after_ms: 0, known_after_ms: {ms}}}" for ms in (50, 60_000))
    await place(parrot, scenario("pause: 1000, hang_up", early))
    await place(parrot, scenario("pause: 100, hang_up", late))
    assert [told["AnsweredBy"] for told in parrot.forms("/voice/answered-by")] == ["human"]


async def test_keys_that_the_agent_presses_are_heard_where_they_are_listened_for(parrot: Parrot) -> None:
    async def press(line: Line) -> None:
        await line.speak(dial_tones("4w2#"))
        await line.mark("pressed")
        await line.next("mark")
        await asyncio.sleep(0.1)

    parrot.talk = press
    outcome = await place(parrot, scenario(more="expect: {keys: '42#'}"))
    assert (outcome.keys, outcome.unmet) == ("42#", [])
    assert (await place(parrot, scenario(more="expect: {keys: '7'}"))).unmet == ["keys: 42# instead of 7"]


# --- what goes wrong


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("", status_code=500), 11200),
        (Response("", status_code=404), 11200),
        (Response("<Response/>", media_type="text/html", status_code=200), 12300),
        ("<Connect/>", 12200),
        ("<", 12100),
    ],
)
async def test_a_failed_document_is_replaced_by_the_fallback(
    parrot: Parrot, answer: str | Response[Any], code: int
) -> None:
    parrot.answer("/voice", answer)
    parrot.answer("/voice/fallback", "<Hangup/>")
    outcome = await place(parrot, scenario())
    [fallback] = parrot.forms("/voice/fallback")
    assert (fallback["ErrorCode"], fallback["ErrorUrl"]) == (str(code), parrot.url + "/voice")
    assert codes(outcome) == [code]
    assert outcome.status == "completed"


async def test_without_any_document_the_call_fails(parrot: Parrot) -> None:
    parrot.answer("/voice", Response("", status_code=500))
    parrot.answer("/voice/fallback", Response("", status_code=500))
    outcome = await place(parrot, scenario())
    assert (outcome.status, outcome.ended_by) == ("failed", "carrier")
    assert codes(outcome) == [11200, 11200]
    assert parrot.forms("/status-callback")[0]["CallStatus"] == "failed"


async def test_a_slow_answer_is_none(parrot: Parrot) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        options = Options(policy=Policy(read_ms=100, total_ms=150))
        async with Simulator(
            f"http://127.0.0.1:{port}", auth_token=TOKEN, voice=beeping_voice, options=options
        ) as twilio:
            outcome = await twilio.call(scenario())
    assert codes(outcome)[:2] == [11205, 11205]
    assert outcome.status == "failed"


async def test_retries_bear_the_same_idempotency_token(parrot: Parrot) -> None:
    parrot.answer("/voice", Response("", status_code=503), Response("", status_code=503), "<Hangup/>")
    outcome = await place(parrot, scenario(), Options(policy=Policy(retries=2, retry_on=frozenset({"5xx"}))))
    assert outcome.ok
    tokens = [headers["i-twilio-idempotency-token"] for path, _, headers in parrot.requests if path == "/voice"]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1
    others = {headers["i-twilio-idempotency-token"] for path, _, headers in parrot.requests if path != "/voice"}
    assert not others & set(tokens)


async def test_by_default_only_a_missing_connection_is_tried_again() -> None:
    async with Simulator("http://127.0.0.1:9", auth_token=TOKEN, voice=beeping_voice) as twilio:
        outcome = await twilio.call(scenario())
    attempts = [text for text in words(outcome, "note") if text.startswith("/voice:")]
    assert attempts == ["/voice: no connection (attempt 1)", "/voice: no connection (attempt 2)"]
    assert outcome.status == "failed"


async def test_status_callbacks_can_overtake_each_other_and_come_twice(parrot: Parrot) -> None:
    options = Options(
        status_events=("initiated", "ringing", "answered", "completed"),
        callback_delays_ms={"ringing": 3000, "answered": 20},
        duplicate_callbacks=True,
    )
    outcome = await place(parrot, scenario(HANG_UP), options)
    assert outcome.ok
    arrived = [(form["CallStatus"], form["SequenceNumber"]) for form in parrot.forms("/status-callback")]
    assert arrived == [
        ("in-progress", "1"),
        ("in-progress", "1"),
        ("completed", "2"),
        ("completed", "2"),
        ("ringing", "0"),
        ("ringing", "0"),
    ]
    tokens = [headers["i-twilio-idempotency-token"] for path, _, headers in parrot.requests if path != "/voice"]
    assert len(set(tokens)) == 3


async def test_the_carrier_ends_calls_that_last_too_long(parrot: Parrot) -> None:
    outcome = await place(parrot, scenario(more="limit_ms: 1500"))
    assert (outcome.status, outcome.ended_by) == ("completed", "carrier")
    assert parrot.lines[0].received[-1]["event"] == "stop"


async def test_expectations_that_are_not_met_are_named(parrot: Parrot) -> None:
    expect = "expect: {ended_by: agent, status: busy, min_agent_stretches: 2, streams: 2}"
    outcome = await place(parrot, scenario(HANG_UP, expect))
    assert outcome.unmet == [
        "ended by: caller instead of agent",
        "status: completed instead of busy",
        "media streams: 1 instead of 2",
        "the agent spoke 1 times, not 2",
    ]
    assert not outcome.ok


async def test_many_calls_at_once_do_not_disturb_each_other(parrot: Parrot) -> None:
    async def talk(line: Line) -> None:
        sid = line.start["start"]["callSid"]
        await line.speak(tone(300))
        await line.mark(sid)
        assert (await line.next("mark"))["mark"]["name"] == sid

    parrot.talk = talk
    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice) as twilio:
        outcomes = await asyncio.gather(*(twilio.call(scenario()) for _ in range(10)))
    assert all(outcome.ok for outcome in outcomes)
    assert [words(outcome, "mark") for outcome in outcomes] == [[outcome.call_sid] for outcome in outcomes]
    assert len({outcome.call_sid for outcome in outcomes}) == 10


async def test_what_goes_wrong_in_the_simulator_itself_is_raised(parrot: Parrot) -> None:
    def listen(sid: str, happening: Happening) -> None:
        if happening.kind == "agent":
            raise ZeroDivisionError

    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice, on_happening=listen) as twilio:
        with pytest.raises(ZeroDivisionError):
            await twilio.call(scenario())


async def test_everything_is_told_as_it_happens(parrot: Parrot) -> None:
    told: list[tuple[str, str]] = []
    parrot.talk = talks(lambda line: line.speak(tone(100)), lambda line: line.mark("m"), lambda line: line.next("mark"))
    async with Simulator(
        parrot.url,
        auth_token=TOKEN,
        voice=beeping_voice,
        on_happening=lambda sid, happening: told.append((sid, happening.kind)),
    ) as twilio:
        outcome = await twilio.call(scenario("say: a"))
    assert {sid for sid, _ in told} == {outcome.call_sid}
    assert {"status", "webhook", "twiml", "stream", "caller", "agent", "mark", "callback"} == {kind for _, kind in told}
    assert json.dumps(words(outcome, "status")) == '["ringing", "in-progress", "completed"]'
