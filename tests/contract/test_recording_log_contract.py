"""What every log of recordings keeps to: the one in the store, and the one in memory for tests on virtual time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from scriza.modules.telephony.recordings.log import CallRecording, RecordedBy, RecordingLog
from tests.memory_recordings import MemoryRecordingLog

CALL = "CA00000000000000000000000000000001"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "store"])
def log(request: pytest.FixtureRequest) -> RecordingLog:
    if request.param == "memory":
        return MemoryRecordingLog()
    from scriza.modules.telephony.recordings.stored import MongoRecordingLog

    return MongoRecordingLog(request.getfixturevalue("store"))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def recording(call_id: str = CALL, by: RecordedBy = "ours", seconds: float = 0) -> CallRecording:
    return CallRecording(call_id, "default", by, at(seconds))


async def test_a_recording_is_begun_once(log: RecordingLog) -> None:
    assert await log.begin(recording())
    assert not await log.begin(recording(seconds=60))
    assert await log.find(CALL) == recording()
    assert await log.find("CA2") is None


async def test_one_makes_the_file_until_it_lets_go_or_takes_too_long(log: RecordingLog) -> None:
    await log.begin(recording())
    assert await log.claim(CALL, at(0), at(60))
    assert not await log.claim(CALL, at(59), at(120))
    assert await log.claim(CALL, at(60), at(120))
    await log.release(CALL)
    assert await log.claim(CALL, at(61), at(120))


async def test_of_many_who_would_make_the_file_one_does(log: RecordingLog) -> None:
    await log.begin(recording())
    assert sum(await asyncio.gather(*(log.claim(CALL, at(0), at(60)) for _ in range(5)))) == 1


async def test_a_settled_recording_is_made_no_more_and_stays_as_it_is(log: RecordingLog) -> None:
    await log.begin(recording())
    await log.settle(CALL, "kept", at(90), duration_ms=12_345, channels=2)
    await log.settle(CALL, "lost", at(99))
    found = await log.find(CALL)
    assert found is not None
    assert (found.state, found.settled_at, found.duration_ms, found.channels) == ("kept", at(90), 12_345, 2)
    assert not await log.claim(CALL, at(100), at(160))
    assert not await log.complete_at_carrier(CALL, "RE1")


async def test_the_carrier_completes_what_it_records_and_nothing_else(log: RecordingLog) -> None:
    await log.begin(recording(by="carrier"))
    await log.begin(recording("CA2"))
    assert await log.complete_at_carrier(CALL, "RE1")
    assert not await log.complete_at_carrier("CA2", "RE2")
    assert not await log.complete_at_carrier("CA3", "RE3")
    found = await log.find(CALL)
    assert found is not None
    assert found.carrier_id == "RE1"


async def test_what_is_open_and_what_is_kept_is_found_by_its_age(log: RecordingLog) -> None:
    for number in (3, 1, 2):
        await log.begin(recording(f"CA{number}", seconds=number))
    await log.settle("CA2", "kept", at(50))
    assert [each.call_id for each in await log.open_since(at(4), 10)] == ["CA1", "CA3"]
    assert [each.call_id for each in await log.open_since(at(4), 1)] == ["CA1"]
    assert await log.open_since(at(1), 10) == []
    assert [each.call_id for each in await log.kept_since(at(51), 10)] == ["CA2"]
    assert await log.kept_since(at(50), 10) == []
    await log.forget("CA2")
    assert await log.find("CA2") is None
