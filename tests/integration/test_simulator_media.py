"""The simulated carrier's media socket: its pace, its marks, what is heard of it, and its faults."""

import asyncio
import contextlib
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from litestar.exceptions import WebSocketDisconnect

from scriza.audio.levels import dbfs
from scriza.audio.mulaw import Samples, silence
from scriza.audio.wav import encode_wav
from scriza.simulator.report import CallOutcome
from scriza.simulator.simulator import Simulator
from tests.integration.simulator_rig import TOKEN, codes, greeting, place, scenario, words
from tests.standins.parrot import Line, Parrot, beeping_voice, tone


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with greeting() as parrot:
        yield parrot


def channels(outcome: CallOutcome) -> tuple[Samples, Samples]:
    samples = np.frombuffer(outcome.wav[44:], "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]


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
        await line.speak(tone(200))
        await line.mark("heard")
        await line.speak(tone(4800))
        await line.mark("never heard")
        assert (await line.next("mark"))["mark"]["name"] == "heard"
        await line.send("clear")
        assert (await line.next("mark"))["mark"]["name"] == "never heard"
        # A frame is recorded when it is over: the one in which the tone ends, before the call does.
        await line.speak(silence(40))
        await line.mark("recorded")
        await line.next("mark")

    parrot.talk = talk
    outcome = await place(parrot, scenario())
    _, agent = channels(outcome)
    audible = np.flatnonzero(np.abs(agent.astype(np.int32)) > 50)
    [cleared] = words(outcome, "clear")
    dropped_ms = int(cleared.removesuffix(" ms of audio dropped"))
    assert 0 < dropped_ms <= 4800
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
