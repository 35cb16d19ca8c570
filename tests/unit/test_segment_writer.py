"""Segments on their way to the store, while it is away and when it is back."""

import asyncio
from datetime import UTC, datetime

from structlog.testing import capture_logs

from scriza.kernel.errors import Unavailable
from scriza.modules.telephony.live.recorder import Segment
from scriza.modules.telephony.recordings.segments import SegmentWriter
from tests.memory_objects import MemoryObjects
from tests.virtual_time import run_virtual

SEGMENT = Segment(datetime(2030, 1, 1, tzinfo=UTC), False, b"\xff" * 8, b"\xff" * 8)


async def writing(writer: SegmentWriter, seconds: float) -> None:
    """Let a worker write for so long."""

    async def work() -> None:
        while True:
            await writer.write_next()

    task = asyncio.create_task(work())
    await asyncio.sleep(seconds)
    task.cancel()


def test_a_call_is_written_when_it_has_ended_and_its_last_segment_is_stored() -> None:
    async def main() -> None:
        objects, written = MemoryObjects(), list[str]()
        writer = SegmentWriter(objects, written.append)
        writer.keep("CA1", "recordings/CA1/1-0", SEGMENT)
        writer.keep("CA2", "recordings/CA2/1-0", SEGMENT)
        writer.call_ended("CA1")
        assert written == []
        await writing(writer, 1)
        assert written == ["CA1"]
        writer.call_ended("CA2")
        assert written == ["CA1", "CA2"]
        assert len(objects.kept) == 2

    run_virtual(main())


def test_segments_wait_for_a_store_that_is_away() -> None:
    async def main() -> None:
        objects = MemoryObjects()
        objects.failure = Unavailable("away")
        writer = SegmentWriter(objects, lambda _: None)
        writer.keep("CA1", "recordings/CA1/1-0", SEGMENT)
        await writing(writer, 0.1)
        task = asyncio.create_task(writing(writer, 120))
        writer.keep("CA1", "recordings/CA1/1-1", SEGMENT)
        await asyncio.sleep(20)
        objects.failure = None
        await task
        assert "recordings/CA1/1-1" in objects.kept

    with capture_logs() as logs:
        run_virtual(main())
    assert {log["event"] for log in logs} == {"recording.segment_waits"}


def test_a_store_that_stays_away_costs_segments_and_no_memory() -> None:
    async def main() -> int:
        objects, written = MemoryObjects(), list[str]()
        objects.failure = Unavailable("away")
        writer = SegmentWriter(objects, written.append)
        for number in range(500):
            writer.keep("CA1", f"recordings/CA1/1-{number}", SEGMENT)
        waiting = writer.waiting
        writer.call_ended("CA1")
        for _ in range(4):
            asyncio.create_task(writing(writer, 86_400))  # noqa: RUF006 - over before the test is
        await writer.flushed()
        assert written == ["CA1"], "the call's end is not lost with its sound"
        return waiting

    with capture_logs() as logs:
        assert run_virtual(main()) == 400
    lost = [log for log in logs if log["event"] == "recording.segment_lost"]
    assert len(lost) == 500
