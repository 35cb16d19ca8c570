"""Recorded calls over real sockets: the whole application, the simulated carrier, and a store that is a real one."""

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from scriza.ports.telephony import RecordingLink
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import parse
from scriza_adapters.objects_directory import DirectoryObjects
from tests.exchange import PUBLIC_URL, Exchange, KnowingAsr, exchange
from tests.standins.moto_server import CREDENTIALS, make_bucket, moto_server

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

CALLER = parse(
    """
name: recorded
lines:
  - wait
  - say: how much does it cost per month
  - interrupt_after: 600
  - say: do you have a free trial
  - wait
  - say: thank you goodbye
"""
)
Legs = NDArray[np.float64]


@pytest.fixture(params=["directory", "s3"])
async def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    """The settings of a store of objects."""
    if request.param == "directory":
        yield {}
        return
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = moto_server()
    endpoint = await asyncio.to_thread(server.__enter__)
    yield {"objects_url": await asyncio.to_thread(make_bucket, endpoint, "recorded")}
    await asyncio.to_thread(server.__exit__, None, None, None)


async def recording_of(pbx: Exchange, call_id: str, seconds: float = 30) -> tuple[RecordingLink, Legs, str]:
    """The recording's link, its sound of shape ``(n, 2)``, and its URL."""
    deadline = time.monotonic() + seconds
    while (answer := await pbx.api.get(f"/api/v1/calls/{call_id}/recording")).status_code == 409:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    link = msgspec.json.decode(answer.content, type=RecordingLink)
    url = link.url.replace(PUBLIC_URL, pbx.url)
    async with httpx.AsyncClient(trust_env=False) as anybody:
        file = await anybody.get(url)
    assert (file.status_code, file.headers["content-type"]) == (200, "audio/wav")
    return link, sound(file.content), url


def sound(data: bytes) -> Legs:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.reshape(-1, 2).astype(np.float64)


def later_by_ms(leg: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """How much later the leg's sound is than the same sound in the reference, by correlation."""
    size = 2 ** int(np.ceil(np.log2(len(leg) + len(reference))))
    spectrum = np.fft.rfft(leg, size) * np.conj(np.fft.rfft(reference, size))
    peak = int(np.argmax(np.fft.irfft(spectrum, size)))
    return (peak - size if peak > size / 2 else peak) / 8


def spans(leg: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Where there is sound on the leg, in samples: what has 300 ms of silence around it."""
    loud = np.flatnonzero(np.abs(leg) > 300)
    breaks = np.flatnonzero(np.diff(loud) > 2400)
    starts, ends = loud[np.r_[0, breaks + 1]], loud[np.r_[breaks, len(loud) - 1]]
    return [(int(start), int(end) + 1) for start, end in zip(starts, ends, strict=True)]


def assert_same_sound(ours: Legs, phone: Legs) -> None:
    """Each leg is its own side of the phone's recording, and all that was said on it is at one distance from there."""
    later: list[float] = []
    for leg in (0, 1):
        here, there = spans(ours[:, leg]), spans(phone[:, leg])
        assert len(here) == len(there) >= 3
        for (start, end), (began, ended) in zip(here, there, strict=True):
            assert abs((end - start) - (ended - began)) < 40 * 8, "as long, also where it was cut"
            within = later_by_ms(ours[start:end, leg], phone[began:ended, leg])
            assert abs(within) < 40, "the same words"
            later.append((start - began) / 8)
    assert max(later) - min(later) < 40, later


async def test_our_own_recording_is_what_the_phone_heard_and_said(
    mongo_url: str, tmp_path: Path, store: dict[str, str]
) -> None:
    name = f"test_{uuid4().hex}"
    asr = KnowingAsr("how much does it cost per month", "do you have a free trial", "thank you goodbye")
    async with exchange(tmp_path, mongo_url, name, asr=asr, recording="ours", **store) as pbx:
        outcome: CallOutcome = await pbx.twilio.call(CALLER)
        record = await pbx.record(outcome.call_sid)
        assert record.metrics.barge_ins == 1
        link, ours, _ = await recording_of(pbx, outcome.call_sid)
        assert_same_sound(ours, sound(outcome.wav))
        assert link.channels == 2
        assert link.duration_seconds == pytest.approx(len(ours) / 8000, abs=0.001)
        objects = pbx.container.objects()
        if isinstance(objects, DirectoryObjects):
            kept = list((tmp_path / "objects" / "recordings").rglob("*.wav"))
            assert [path.name for path in kept] == [f"{outcome.call_sid}.wav"]


async def test_the_carriers_recording_is_fetched_when_it_tells_and_then_deleted_there(
    mongo_url: str, tmp_path: Path, store: dict[str, str]
) -> None:
    name = f"test_{uuid4().hex}"
    asr = KnowingAsr("how much does it cost per month", "do you have a free trial", "thank you goodbye")
    wanted = {"recording": "carrier", "recording_leaves_carrier": True}
    async with exchange(tmp_path, mongo_url, name, asr=asr, **wanted, **store) as pbx:
        outcome = await pbx.twilio.call(CALLER)
        link, theirs, _ = await recording_of(pbx, outcome.call_sid)
        assert link.channels == 2
        phone = sound(outcome.wav)
        assert_same_sound(theirs, phone[-len(theirs) :])  # it begins when it is asked for, and ends with the call
        async with asyncio.timeout(30):  # it can be heard before the carrier has forgotten it
            while await pbx.container.carrier().recordings(outcome.call_sid):  # noqa: ASYNC110 # as a client does
                await asyncio.sleep(0.05)


async def test_without_a_recording_there_is_no_url(mongo_url: str, tmp_path: Path) -> None:
    async with exchange(tmp_path, mongo_url, f"test_{uuid4().hex}", asr=KnowingAsr("thank you goodbye")) as pbx:
        outcome = await pbx.twilio.call(parse("name: short\nlines: [wait, say: thank you goodbye]"))
        await pbx.record(outcome.call_sid)
        for call_id in (outcome.call_sid, "CA-unknown"):
            assert (await pbx.api.get(f"/api/v1/calls/{call_id}/recording")).status_code == 404
        assert (await pbx.api.post("/recording-callback", data={"CallSid": outcome.call_sid})).status_code == 403
