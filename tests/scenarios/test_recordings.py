"""What a call's recording holds: the caller left, the agent right, where they sounded. Whole calls on virtual time."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from scriza.kernel.errors import Conflict, DeadlineExceeded, NotFound, Unavailable, UpstreamFailed
from scriza.modules.telephony.live.recorder import RecorderOptions
from scriza.modules.telephony.live.session import Doors
from scriza.modules.telephony.recordings.at_carrier import RecordingsAtCarrier
from scriza.modules.telephony.recordings.log import CallRecording
from scriza.modules.telephony.recordings.service import RecordingOptions, Recordings
from scriza.ports.carrier import Recording
from scriza.ports.objects import StoredObject
from tests.memory_objects import MemoryObjects
from tests.memory_recordings import MemoryRecordingLog
from tests.scenarios.engines import LineAsr
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import World
from tests.virtual_time import run_virtual

Spans = list[tuple[float, float]]
Script = Callable[[MemoryPhone], Awaitable[None]]

WITHIN_S = 0.04
_BLOCK = 80


@dataclass
class RecordingCarrier:
    """Records, as far as it is asked to; what it has recorded is complete when the test says so."""

    asked: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    keeps: bool = False
    """It deletes nothing."""
    late: int = 0
    """So many requests are carried out, and their answers never come."""

    async def start_recording(self, call_id: str, *, status_url: str) -> str:
        self.asked.append(status_url)
        if self.late:
            self.late -= 1
            raise DeadlineExceeded("no answer")
        return "RE1"

    async def recordings(self, call_id: str) -> list[Recording]:
        status = "completed" if self.files else "in-progress"
        return [Recording("RE1", status, 2, None)] if self.asked else []

    async def recording(self, recording_id: str) -> bytes:
        if recording_id not in self.files:
            raise NotFound("not yet")
        return self.files[recording_id]

    async def delete_recording(self, recording_id: str) -> None:
        if self.keeps:
            raise UpstreamFailed("no")
        self.deleted.append(recording_id)


@dataclass
class RecordedWorld(World):
    """A call whose sound is recorded into memory."""

    recording: RecordingOptions = field(default_factory=lambda: RecordingOptions(by="ours"))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.objects, self.recording_log = MemoryObjects(), MemoryRecordingLog()
        self.recorder_at = RecordingCarrier()
        self.recordings = self.another_process()

    def another_process(self) -> Recordings:
        """Recordings as another process has them."""
        at_carrier = RecordingsAtCarrier(self.recorder_at, "https://scriza.example/recording-callback")  # type: ignore[arg-type]  # it records, and does nothing else
        return Recordings(self.recording, self.recording_log, self.log, self.objects, at_carrier, clock=self.clock)

    def doors(self) -> Doors:
        return replace(super().doors(), recorder=self.recordings.recorder)

    async def take(self, script: Script) -> MemoryPhone:
        """One media stream."""
        phone = MemoryPhone()
        session = await self.session(phone)
        async with asyncio.timeout(7200), asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(script(phone))  # type: ignore[arg-type]  # scripts are coroutine functions
            await session.run()
            calling.cancel()
        return phone

    @asynccontextmanager
    async def recorded(self) -> AsyncIterator[None]:
        async with self.recordings.running():
            yield

    async def kept(self, seconds: float = 600) -> CallRecording:
        """The recording, once it is complete."""
        async with asyncio.timeout(seconds):
            while (found := await self.recording_log.find("CA1")) is None or found.state == "open":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    def legs(self) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        body = self.objects.kept["recordings/default/CA1.wav"]
        assert body.content_type == "audio/wav"
        with wave.open(io.BytesIO(body.body)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return samples[:, 0], samples[:, 1]


def spans(leg: NDArray[np.int16], quiet: int = 500, gap_s: float = 0.3) -> Spans:
    """When there is sound on a leg: start and end, in seconds, to 10 ms. Shorter gaps are taken as sound."""
    blocks = leg[: len(leg) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).astype(float)
    loud = np.sqrt((blocks**2).mean(axis=1)) > quiet
    found: Spans = []
    for at in np.flatnonzero(loud) * _BLOCK / 8000:
        if found and at - found[-1][1] <= gap_s:
            found[-1] = (found[-1][0], at + 0.01)
        else:
            found.append((float(at), at + 0.01))
    return found


def joined(played: Spans, gap_s: float = 0.3) -> Spans:
    found: Spans = []
    for start, end in played:
        if end - start < 0.001:
            continue
        if found and start - found[-1][1] <= gap_s:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def assert_close(heard: Spans, expected: Spans) -> None:
    assert len(heard) == len(expected), f"{heard} is not {expected}"
    for there, here in zip(heard, expected, strict=True):
        assert there == pytest.approx(here, abs=WITHIN_S)


async def until_hang_up(phone: MemoryPhone) -> None:
    await phone.heard_all()
    phone.hang_up()


def test_the_callers_words_are_left_and_the_agents_right_where_they_sounded() -> None:
    world = RecordedWorld(asr=LineAsr("what does it cost", "goodbye"))
    said: Spans = []

    async def caller(phone: MemoryPhone) -> None:
        for ms in (1500, 800):
            await phone.heard_all()
            began = phone.elapsed
            await phone.say(ms)
            said.append((began, phone.elapsed))
        await phone.heard_all()

    async def main() -> tuple[MemoryPhone, CallRecording]:
        async with world.recorded():
            phone = await world.take(caller)
            return phone, await world.kept(5)

    phone, recording = run_virtual(main())
    left, right = world.legs()
    assert_close(spans(left), said)
    assert_close(spans(right), joined(phone.played))
    assert (recording.state, recording.channels) == ("kept", 2)
    assert recording.duration_ms == len(left) // 8
    assert recording.duration_ms / 1000 == pytest.approx(phone.closed_at, abs=WITHIN_S)
    assert list(world.objects.kept) == ["recordings/default/CA1.wav"], "the segments are gone"


def test_an_interrupted_clip_ends_where_it_was_cleared() -> None:
    world = RecordedWorld(asr=LineAsr("count for me", "stop that please"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.agent_begins()
        await asyncio.sleep(1.0)
        await phone.say(1500)
        await phone.heard_all()
        phone.hang_up()

    async def main() -> MemoryPhone:
        async with world.recorded():
            phone = await world.take(caller)
            await world.kept(5)
            return phone

    phone = run_virtual(main())
    _, right = world.legs()
    assert phone.clears == 1
    assert_close(spans(right), joined(phone.played))


def test_a_long_call_is_never_in_memory_and_comes_out_whole() -> None:
    world = RecordedWorld(asr=LineAsr(*["count for me"] * 9))
    segments: list[int] = []

    async def caller(phone: MemoryPhone) -> None:
        for _ in range(9):
            await phone.heard_all()
            await phone.say(6_000)
        await phone.heard_all()
        segments.append(len(world.objects.kept))
        phone.hang_up()

    async def main() -> MemoryPhone:
        async with world.recorded():
            phone = await world.take(caller)
            await world.kept(5)
            return phone

    phone = run_virtual(main())
    assert segments[0] >= 8
    left, right = world.legs()
    assert len(left) / 8000 == pytest.approx(phone.closed_at, abs=WITHIN_S)
    assert_close(spans(right), joined(phone.played))


def test_a_call_that_is_taken_up_again_elsewhere_is_one_recording() -> None:
    world = RecordedWorld(asr=LineAsr("what does it cost"))
    began: list[float] = []

    async def first(phone: MemoryPhone) -> None:
        await phone.heard_all()
        phone.drop()

    async def second(phone: MemoryPhone) -> None:
        began.append(asyncio.get_running_loop().time())
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        phone.hang_up()

    async def main() -> tuple[Spans, MemoryPhone]:
        async with world.recorded():
            before = await world.take(first)
        await asyncio.sleep(2.5)
        world.recordings = world.another_process()
        async with world.recorded():
            phone = await world.take(second)
            await world.kept(5)
            return before.played, phone

    played, phone = run_virtual(main())
    _, right = world.legs()
    expected = joined([*played, *((start + began[0], end + began[0]) for start, end in phone.played)])
    assert_close(spans(right), expected)


def test_what_a_killed_process_had_stored_is_kept_and_its_call_ends_elsewhere() -> None:
    world = RecordedWorld(
        asr=LineAsr("what does it cost"),
        recording=RecordingOptions(by="ours", recorder=RecorderOptions(segment=2_000, grace=200)),
    )

    stored: dict[str, StoredObject] = {}

    async def killed(phone: MemoryPhone) -> None:
        await asyncio.sleep(5)
        stored.update(world.objects.kept)
        phone.drop()

    async def main() -> tuple[float, MemoryPhone]:
        async with world.recorded():
            await world.take(killed)
        world.objects.kept = stored  # what the process did after its death has not happened
        world.recordings = world.another_process()
        async with world.recorded():
            resumed_at = asyncio.get_running_loop().time()
            phone = await world.take(until_hang_up)
            await asyncio.sleep(30)
            found = await world.recording_log.find("CA1")
            assert found is not None
            assert found.state == "open", "the other process may still be storing"
            assert (await world.kept()).state == "kept"
            return resumed_at, phone

    resumed_at, phone = run_virtual(main())
    left, right = world.legs()
    assert len(left) / 8000 == pytest.approx(resumed_at + phone.closed_at, abs=WITHIN_S)
    opening, *_ = spans(right)
    assert opening == pytest.approx((0.05, 1.25), abs=WITHIN_S)
    assert_close(spans(right)[1:], [(start + resumed_at, end + resumed_at) for start, end in joined(phone.played)])


def test_a_store_that_is_away_for_a_while_costs_nothing_but_time() -> None:
    world = RecordedWorld(asr=LineAsr("goodbye"))

    async def caller(phone: MemoryPhone) -> None:
        world.objects.failure = Unavailable("away")
        await phone.heard_all()
        await phone.say(800)
        await phone.heard_all()

    async def main() -> tuple[MemoryPhone, CallRecording]:
        async with world.recorded():
            phone = await world.take(caller)
            await asyncio.sleep(20)
            world.objects.failure = None
            return phone, await world.kept(300)

    phone, recording = run_virtual(main())
    assert recording.state == "kept"
    assert_close(spans(world.legs()[1]), joined(phone.played))


def test_a_recording_is_told_of_when_it_is_complete_and_forgotten_when_it_is_old() -> None:
    world = RecordedWorld(recording=RecordingOptions(by="ours", keep_days=7))

    async def main() -> None:
        async with world.recorded():
            with pytest.raises(NotFound):
                await world.recordings.link("CA1")

            async def caller(phone: MemoryPhone) -> None:
                await phone.heard_all()
                with pytest.raises(Conflict):
                    await world.recordings.link("CA1")
                phone.hang_up()

            phone = await world.take(caller)
            await world.kept(5)
            link = await world.recordings.link("CA1")
            assert link.url == "memory:recordings/default/CA1.wav"
            assert link.duration_seconds == pytest.approx(phone.closed_at, abs=WITHIN_S)
            assert link.channels == 2
            await asyncio.sleep(7 * 86_400 + 120)
            assert world.objects.kept == {}
            with pytest.raises(NotFound):
                await world.recordings.link("CA1")

    run_virtual(main())


def test_nothing_is_recorded_unless_it_is_wanted() -> None:
    world = RecordedWorld(recording=RecordingOptions(by="off"))

    async def main() -> None:
        async with world.recorded():
            await world.take(until_hang_up)
            await asyncio.sleep(300)
            with pytest.raises(NotFound):
                await world.recordings.link("CA1")

    run_virtual(main())
    assert world.objects.kept == {}
    assert world.recorder_at.asked == []


def stereo(seconds: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((2, 2, 8000, 0, "NONE", ""))
        wav.writeframes(bytes(4 * 8000 * seconds))
    return file.getvalue()


BY_CARRIER = RecordingOptions(by="carrier", leaves_carrier=True)


def test_the_carrier_is_asked_once_a_call_and_its_recording_is_fetched_when_it_tells() -> None:
    world = RecordedWorld(recording=BY_CARRIER)

    async def main() -> CallRecording:
        async with world.recorded():

            async def dropped(phone: MemoryPhone) -> None:
                await phone.heard_all()
                phone.drop()

            await world.take(dropped)
            await world.take(until_hang_up)
            world.recorder_at.files["RE1"] = stereo(3)
            await world.recordings.complete_at_carrier("CA1", "RE1")
            await world.recordings.complete_at_carrier("CA1", "RE1")
            return await world.kept(5)

    recording = run_virtual(main())
    assert world.recorder_at.asked == ["https://scriza.example/recording-callback"]
    assert (recording.duration_ms, recording.channels) == (3_000, 2)
    assert world.objects.kept["recordings/default/CA1.wav"].body == stereo(3)
    assert world.recorder_at.deleted == ["RE1"]


def test_a_recording_of_which_the_carrier_never_told_is_looked_up() -> None:
    world = RecordedWorld(recording=RecordingOptions(by="carrier"))

    async def main() -> CallRecording:
        async with world.recorded():
            await world.take(until_hang_up)
            await asyncio.sleep(200)
            world.recorder_at.files["RE1"] = stereo(1)
            return await world.kept(120)

    assert run_virtual(main()).state == "kept"
    assert world.recorder_at.deleted == []


def test_a_recording_that_never_comes_is_given_up_after_a_day() -> None:
    world = RecordedWorld(recording=RecordingOptions(by="carrier"))

    async def main() -> CallRecording:
        async with world.recorded():
            await world.take(until_hang_up)
            await world.recordings.complete_at_carrier("CA1", "RE1")
            await asyncio.sleep(86_000)
            with pytest.raises(Conflict):
                await world.recordings.link("CA1")
            return await world.kept(1_000)

    assert run_virtual(main()).state == "lost"


def test_a_recording_that_the_carrier_will_not_delete_is_kept_all_the_same_and_told() -> None:
    world = RecordedWorld(recording=BY_CARRIER)
    world.recorder_at.keeps = True

    async def main() -> CallRecording:
        async with world.recorded():
            await world.take(until_hang_up)
            world.recorder_at.files["RE1"] = stereo(1)
            await world.recordings.complete_at_carrier("CA1", "RE1")
            return await world.kept(5)

    with capture_logs() as logs:
        assert run_virtual(main()).state == "kept"
    assert [log["recording"] for log in logs if log["event"] == "recording.left_at_carrier"] == ["RE1"]


def test_a_request_to_record_whose_answer_never_came_is_looked_up_before_it_is_repeated() -> None:
    world = RecordedWorld(recording=BY_CARRIER)
    world.recorder_at.late = 1

    async def main() -> None:
        async with world.recorded():
            await world.take(until_hang_up)

    run_virtual(main())
    assert len(world.recorder_at.asked) == 1


def test_a_process_that_was_killed_before_it_asked_leaves_that_to_the_calls_next_stream() -> None:
    world = RecordedWorld(recording=BY_CARRIER)

    async def main() -> None:
        await world.recording_log.begin(CallRecording("CA1", "default", "carrier", world.clock()))
        async with world.recorded():
            await world.take(until_hang_up)

    run_virtual(main())
    assert len(world.recorder_at.asked) == 1


def test_a_recording_that_the_carrier_has_not_is_given_up() -> None:
    world = RecordedWorld(recording=RecordingOptions(by="carrier"))

    async def main() -> CallRecording:
        async with world.recorded():
            await world.take(until_hang_up)
            await world.recordings.absent_at_carrier("CA1")
            return await world.kept(5)

    assert run_virtual(main()).state == "lost"
