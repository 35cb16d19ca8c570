"""What the simulated carrier makes of a scripted server's TwiML: streams, files, rejections and transfers."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
from litestar import Response
from litestar.exceptions import WebSocketDisconnect

from scriza.audio.mp3 import encode_mp3
from scriza.audio.mulaw import encode, silence
from scriza.audio.resample import resample
from scriza.audio.wav import encode_wav
from scriza.simulator.report import CallOutcome
from tests.integration.simulator_rig import HANG_UP, codes, greeting, place, scenario, talks
from tests.standins.parrot import Line, Parrot, tone


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with greeting() as parrot:
        yield parrot


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
