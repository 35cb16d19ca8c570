"""The simulated carrier against a scripted server, over real sockets."""

import asyncio
import contextlib
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from litestar import Response
from litestar.exceptions import WebSocketDisconnect
from twilio.request_validator import RequestValidator

from scriza.audio.levels import dbfs
from scriza.audio.mp3 import encode_mp3
from scriza.audio.mulaw import Samples, encode, silence
from scriza.audio.resample import resample
from scriza.audio.tones import dial_tones
from scriza.audio.wav import encode_wav
from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome, Happening
from scriza.simulator.scenario import Scenario, parse
from scriza.simulator.simulator import Simulator
from scriza.simulator.webhooks import Policy
from tests.standins.parrot import Line, Parrot, beeping_voice, tone

TOKEN = "local-token"
HANG_UP = "interrupt_after: 40, hang_up"
"""The caller hangs up once the agent is heard, so that the stream is surely open."""


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with Parrot().serve() as serving:
        serving.answer("/voice", f"<Connect>{serving.stream()}</Connect>")
        serving.talk = greet
        yield serving


def scenario(lines: str = "pause: 5000", more: str = "") -> Scenario:
    return parse(f"name: test\nlines: [{lines}]\n{more}")


async def place(parrot: Parrot, caller: Scenario, options: Options = Options()) -> CallOutcome:  # noqa: B008
    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice, options=options) as twilio:
        return await twilio.call(caller)


def channels(outcome: CallOutcome) -> tuple[Samples, Samples]:
    samples = np.frombuffer(outcome.wav[44:], "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]


def words(outcome: CallOutcome, *kinds: str) -> list[str]:
    return [happening.text for happening in outcome.happenings if happening.kind in kinds]


def codes(outcome: CallOutcome) -> list[int]:
    return [violation.code for violation in outcome.violations]


async def greet(line: Line) -> None:
    await line.speak(tone(400))
    await line.next("stop")


def talks(*acts: Callable[[Line], Awaitable[Any]]) -> Callable[[Line], Awaitable[None]]:
    async def talk(line: Line) -> None:
        for act in acts:
            await act(line)

    return talk


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


# --- the media socket


async def test_media_flows_every_20_ms_and_the_first_timestamp_is_not_0(parrot: Parrot) -> None:
    arrivals: list[tuple[float, dict[str, Any]]] = []

    async def listen(line: Line) -> None:
        for _ in range(50):
            media = await line.next("media")
            arrivals.append((asyncio.get_running_loop().time(), media))

    parrot.talk = listen
    begun = asyncio.get_running_loop().time()
    outcome = await place(parrot, scenario())
    media = [message["media"] for _, message in arrivals]
    timestamps = [int(one["timestamp"]) for one in media]
    assert 150 <= timestamps[0] < 200
    assert np.diff(timestamps).tolist() == [20] * 49
    assert [one["chunk"] for one in media] == [str(number) for number in range(1, 51)]
    assert all(len(b64decode(one["payload"])) == 160 for one in media)
    early = [at for (at, _), ms in zip(arrivals, timestamps, strict=True) if at - begun < (ms + 20) / 1000]
    assert early == [], "audio is sent when it has been said"
    assert outcome.ok


async def test_marks_come_back_when_their_audio_has_been_heard(parrot: Parrot) -> None:
    times: list[float] = []

    async def talk(line: Line) -> None:
        await line.mark("nothing before")
        await line.next("mark")
        begun = asyncio.get_running_loop().time()
        await line.speak(tone(300))
        await line.mark("first")
        await line.speak(tone(200))
        await line.mark("second")
        for name in ("first", "second"):
            assert (await line.next("mark"))["mark"]["name"] == name
            times.append(asyncio.get_running_loop().time() - begun)

    parrot.talk = talk
    outcome = await place(parrot, scenario())
    assert times[0] >= 0.3
    assert times[1] >= 0.5
    assert words(outcome, "mark") == ["nothing before", "first", "second"]
    assert outcome.agent[0].end_ms - outcome.agent[0].start_ms == pytest.approx(500, abs=2)


async def test_what_is_cleared_is_not_heard(parrot: Parrot) -> None:
    async def talk(line: Line) -> None:
        await line.speak(tone(5000))
        await line.mark("never heard")
        for _ in range(10):
            await line.next("media")
        await line.send("clear")
        assert (await line.next("mark"))["mark"]["name"] == "never heard"

    parrot.talk = talk
    outcome = await place(parrot, scenario())
    _, agent = channels(outcome)
    audible = np.flatnonzero(np.abs(agent.astype(np.int32)) > 50)
    [cleared] = words(outcome, "clear")
    dropped_ms = int(cleared.removesuffix(" ms of audio dropped"))
    assert 0 < dropped_ms < 5000
    assert (audible[-1] - audible[0]) / 8 == pytest.approx(5000 - dropped_ms, abs=2)


async def test_the_recording_has_both_directions_as_the_phone_heard_them(parrot: Parrot) -> None:
    async def echo(line: Line) -> None:
        """What the caller said 40 ms ago."""
        while True:
            media = await line.next("media")
            await line.send("media", media={"payload": media["media"]["payload"]})

    parrot.talk = echo
    with_echo = await place(parrot, scenario("pause: 500, say: abcdefg, pause: 1500, hang_up"))
    caller, agent = channels(with_echo)
    said = with_echo.utterances[0]
    assert len(caller) == len(agent)
    assert len(caller) / 8 == pytest.approx(with_echo.ended_at_ms, abs=200)
    assert dbfs(caller[said.start_ms * 8 : said.end_ms * 8]) > -25
    assert dbfs(caller[: said.start_ms * 8 - 8]) < -60
    voiced = np.flatnonzero(np.abs(agent.astype(np.int32)) > 1000)
    assert said.start_ms < voiced[0] / 8 < said.start_ms + 1500


async def test_a_gap_inside_the_agents_speech_is_noticed(parrot: Parrot) -> None:
    async def stutter(line: Line) -> None:
        # A machine that is busy for 200 ms makes a pause of a gap, but not of each.
        for _ in range(8):
            await line.speak(tone(100))
            await line.mark("dry")
            await line.next("mark")
            await line.next("media")

    parrot.talk = stutter
    outcome = await place(parrot, scenario())
    assert 1 <= len(outcome.gaps) <= 7
    assert all(0 < gap.length_ms <= 200 for gap in outcome.gaps)


async def test_keys_are_told_on_the_socket(parrot: Parrot) -> None:
    digits: list[str] = []

    async def listen(line: Line) -> None:
        digits.extend([(await line.next("dtmf"))["dtmf"]["digit"] for _ in range(2)])

    parrot.talk = listen
    outcome = await place(parrot, scenario("pause: 500, digits: {digits: '4#', gap_ms: 40}, pause: 5000"))
    assert digits == ["4", "#"] == words(outcome, "digit")


async def raw(line: Line, text: str) -> None:
    await line.socket.send_text(text)


async def wrong_stream(line: Line) -> None:
    await raw(line, json.dumps({"event": "clear", "streamSid": "MZother"}))


FAULTS: dict[str, tuple[int, Callable[[Line], Awaitable[Any]]]] = {
    "a binary frame": (31950, lambda line: line.socket.send_bytes(b"\xff" * 160)),
    "bad JSON": (31951, lambda line: raw(line, "{")),
    "an unknown event": (31951, lambda line: line.send("play")),
    "a missing field": (31951, lambda line: line.send("media", media={})),
    "an unexpected field": (31951, lambda line: line.send("clear", now=True)),
    "another stream": (31951, wrong_stream),
    "bad base64": (31951, lambda line: line.send("media", media={"payload": "?"})),
    "a WAV file": (
        31951,
        lambda line: line.send("media", media={"payload": b64encode(encode_wav(tone(20), 8000)).decode()}),
    ),
    "a giant": (31924, lambda line: raw(line, " " * 2_000_000)),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_on_the_socket_fails_the_call_and_no_other(parrot: Parrot, fault: str) -> None:
    code, act = FAULTS[fault]

    async def talk(line: Line) -> None:
        if line.start["start"]["callSid"] in bad_calls():
            await act(line)
        with contextlib.suppress(WebSocketDisconnect):
            await line.speak(tone(60))
            await line.mark("end")
            await line.next("mark")

    def bad_calls() -> list[str]:
        return [form["CallSid"] for form in parrot.forms("/voice") if form["From"] == "+14155550666"]

    parrot.talk = talk
    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice) as twilio:
        bad, good = await asyncio.gather(twilio.call(scenario(more='caller: "+14155550666"')), twilio.call(scenario()))
    assert codes(bad) == [code]
    assert not bad.ok
    assert good.ok
    assert good.agent


# --- TwiML


async def test_when_the_server_closes_the_socket_the_action_is_next(parrot: Parrot) -> None:
    parrot.answer("/voice", f'<Connect action="/voice/after">{parrot.stream()}</Connect><Redirect>/other</Redirect>')
    parrot.answer("/voice/after", "<Hangup/>")
    parrot.talk = talks()
    outcome = await place(parrot, scenario())
    assert [path for path, _, _ in parrot.requests] == ["/voice", "/voice/after", "/status-callback"]
    assert parrot.forms("/voice/after")[0]["CallStatus"] == "in-progress"
    assert (outcome.status, outcome.ended_by) == ("completed", "agent")


async def test_without_an_action_the_next_verb_is(parrot: Parrot) -> None:
    parrot.answer("/voice", f"<Connect>{parrot.stream()}</Connect><Redirect>/other</Redirect>")
    parrot.answer("/other", "")
    parrot.talk = talks()
    outcome = await place(parrot, scenario())
    assert [path for path, _, _ in parrot.requests] == ["/voice", "/other", "/status-callback"]
    assert outcome.ended_by == "agent"


async def test_a_refused_handshake_is_an_error_and_the_call_goes_on(parrot: Parrot) -> None:
    parrot.answer("/voice", f'<Connect action="/voice/after">{parrot.stream("refused")}</Connect>')
    parrot.answer("/voice/after", "<Hangup/>")
    outcome = await place(parrot, scenario())
    assert codes(outcome) == [31920]
    assert len(parrot.forms("/voice/after")) == 1
    assert outcome.streams == 0


async def test_a_lost_socket_falls_through_and_a_second_stream_can_be_opened(parrot: Parrot) -> None:
    parrot.answer("/voice", f'<Connect action="/voice/after">{parrot.stream("1")}</Connect>')
    parrot.answer("/voice/after", f"<Connect>{parrot.stream('2')}</Connect>")
    lost: list[str] = []

    async def talk(line: Line) -> None:
        if len(parrot.lines) == 2:
            return
        await line.speak(tone(400))
        try:
            await line.next("stop")
        except WebSocketDisconnect:
            lost.append(line.sid)

    parrot.talk = talk
    outcome = await place(parrot, scenario("interrupt_after: 40, drop_socket, pause: 5000"))
    assert outcome.ok
    assert outcome.streams == 2
    assert lost == [parrot.lines[0].sid]
    assert [token for token, _ in parrot.handshakes] == ["1", "2"]
    assert parrot.lines[0].sid != parrot.lines[1].sid


async def test_a_caller_who_hangs_up_stops_the_stream_and_ends_the_call(parrot: Parrot) -> None:
    outcome = await place(parrot, scenario(HANG_UP))
    assert parrot.lines[0].received[-1]["event"] == "stop"
    assert parrot.lines[0].received[-1]["stop"]["callSid"] == outcome.call_sid
    assert (outcome.status, outcome.ended_by) == ("completed", "caller")
    assert int(parrot.forms("/status-callback")[0]["CallDuration"]) >= 1


async def test_rejected_calls_are_never_answered(parrot: Parrot) -> None:
    parrot.answer("/voice", '<Reject reason="busy"/>')
    outcome = await place(parrot, scenario())
    assert (outcome.status, outcome.answered_at_ms) == ("busy", None)
    form = parrot.forms("/status-callback")[0]
    assert (form["CallStatus"], form["CallDuration"], form["SipResponseCode"]) == ("busy", "0", "486")


async def test_say_play_and_pause_take_their_time_on_the_line(parrot: Parrot) -> None:
    parrot.answer(
        "/voice",
        '<Say>abc</Say><Pause/><Play loop="2">/clip.wav</Play><Pause length="0"/>'
        "<Play>/clip.mulaw</Play><Play>/clip.mp3</Play>",
    )
    clip = np.concatenate([tone(300), np.zeros(3200, np.int16)])
    parrot.answer("/clip.wav", Response(encode_wav(np.repeat(clip, 2), 16000), media_type="audio/x-wav"))
    parrot.answer("/clip.mulaw", Response(encode(tone(200)) + silence(350), media_type="audio/basic"))
    parrot.answer("/clip.mp3", Response(encode_mp3(resample(clip, 8000, 22050), 22050), media_type="audio/mpeg"))
    outcome = await place(parrot, scenario())
    assert outcome.ok
    lengths = [span.end_ms - span.start_ms for span in outcome.agent]
    assert lengths == pytest.approx([180, 300, 300, 200, 300], abs=60)


async def test_a_file_that_cannot_be_played_is_an_error(parrot: Parrot) -> None:
    parrot.answer("/voice", "<Play>/none.wav</Play><Play>/page</Play><Play>/broken</Play><Hangup/>")
    parrot.answer("/none.wav", Response("", status_code=404))
    parrot.answer("/page", Response("<html>", media_type="text/html"))
    parrot.answer("/broken", Response(b"RIFF", media_type="audio/wav"))
    assert codes(await place(parrot, scenario())) == [11200, 12300, 12300]


async def test_a_transfer_tells_its_action_how_it_went(parrot: Parrot) -> None:
    parrot.answer("/voice", '<Dial action="/dialled" timeout="1"><Number>+14155550177</Number></Dial>')
    parrot.answer("/dialled", "<Hangup/>")
    await place(parrot, scenario(more="transfer: {after_ms: 50, talk_ms: 100}"))
    await place(parrot, scenario(more="transfer: {after_ms: 5000}"))
    await place(parrot, scenario(more="transfer: {pickup: busy, after_ms: 50}"))
    answered, missed, busy = parrot.forms("/dialled")
    assert (answered["DialCallStatus"], answered["DialBridged"], answered["DialCallDuration"]) == (
        "completed",
        "true",
        "1",
    )
    assert (missed["DialCallStatus"], busy["DialCallStatus"]) == ("no-answer", "busy")
    assert missed["DialCallSid"].startswith("CA")


GATHER = '<Gather action="/taken" numDigits="1" timeout="1"><Say>Ann.</Say></Gather><Hangup/>'
DIAL = '<Dial action="/dialled" timeout="5"><Number url="/whisper?of=ann">+14155550177</Number></Dial>'


async def whispered(parrot: Parrot, transfer: str) -> CallOutcome:
    parrot.answer("/whisper", GATHER)
    parrot.answer("/voice", DIAL)
    parrot.answer("/taken", "")
    parrot.answer("/dialled", "<Hangup/>")
    return await place(parrot, scenario(more=f"transfer: {{after_ms: 50, talk_ms: 100, {transfer}}}"))


async def test_a_person_hears_the_whisper_on_a_leg_of_its_own_and_takes_the_call_by_a_key(parrot: Parrot) -> None:
    outcome = await whispered(parrot, "presses: '1'")
    (whisper,), (taken,), (dialled,) = (parrot.forms(path) for path in ("/whisper", "/taken", "/dialled"))
    assert (whisper["of"], whisper["Direction"], taken["Digits"]) == ("ann", "outbound-dial", "1")
    assert whisper["CallSid"] == taken["CallSid"] == dialled["DialCallSid"] != outcome.call_sid
    assert whisper["ParentCallSid"] == outcome.call_sid == dialled["CallSid"]
    assert (dialled["DialCallStatus"], dialled["DialBridged"]) == ("completed", "true")


async def test_who_presses_nothing_has_answered_but_is_not_connected(parrot: Parrot) -> None:
    await whispered(parrot, "presses: ''")
    (dialled,) = parrot.forms("/dialled")
    assert parrot.forms("/taken") == []
    assert (dialled["DialCallStatus"], dialled["DialBridged"]) == ("completed", "false")


async def test_a_leg_whose_document_cannot_be_had_fails_with_twilios_error(parrot: Parrot) -> None:
    parrot.answer("/whisper", Response("", status_code=500))
    parrot.answer("/voice", DIAL)
    parrot.answer("/dialled", "<Hangup/>")
    assert codes(await place(parrot, scenario(more="transfer: {after_ms: 50}"))) == [11200]
    assert parrot.forms("/dialled")[0]["DialCallStatus"] == "failed"


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
