"""What recording both legs costs a process: CPU of the recorder for a second of call, and of joining afterwards.

    python benchmarks/recording_cost.py

Calls of ten minutes are told to a recorder as a session tells it: 50 frames a second of the caller, and the agent half
of the time in pieces of 60 ms. Segments are encoded as they are stored, and joined from memory, without a store's time.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "recording_cost.json"
sys.path.insert(0, str(ROOT))

from tests.memory_objects import MemoryObjects  # noqa: E402

from scriza.modules.telephony.live.recorder import Segment, TwoLegs  # noqa: E402 - the path comes first
from scriza.modules.telephony.recordings.joining import find_sound, segment_key, wav  # noqa: E402
from scriza.modules.telephony.recordings.log import CallRecording  # noqa: E402

SECONDS = 600
FRAME, PIECE = bytes(range(160)), bytes(480)
START = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """The recorder's time, which the benchmark moves."""

    now = 0.0

    def wall(self) -> datetime:
        """As a wall clock tells it."""
        return START + timedelta(seconds=self.now)

    def loop(self) -> float:
        """As the event loop tells it."""
        return self.now


def recorded() -> tuple[list[Segment], float, float]:
    """The segments of one call, its CPU, and the longest time that one frame took; seconds."""
    clock, segments = Clock(), list[Segment]()
    recorder = TwoLegs(segments.append, lambda: None, clock=clock.wall, time=clock.loop)
    began, longest = time.process_time(), 0.0
    for frame in range(SECONDS * 50):
        clock.now = (frame + 1) * 0.02
        if frame % 3 == 0 and frame // 500 % 2:
            recorder.played(PIECE, clock.now)
        before = time.thread_time()
        recorder.heard(FRAME, 0)
        longest = max(longest, time.thread_time() - before)
    recorder.stop()
    return segments, time.process_time() - began, longest


async def joined(segments: list[Segment]) -> tuple[float, float, int]:
    """CPU of packing and of joining, in seconds, and the file's bytes."""
    objects, recording = MemoryObjects(), CallRecording("CA1", "default", "ours", START)
    began = time.process_time()
    for number, segment in enumerate(segments):
        await objects.put(segment_key(recording, 1, number), msgspec.msgpack.encode(segment), "application/msgpack")
    packed = time.process_time()
    size = 0
    async for piece in wav(objects, await find_sound(objects, recording, 1)):
        size += len(piece)
    return packed - began, time.process_time() - packed, size


def main() -> None:
    """Measure five calls and print the middle one of each figure."""
    runs = []
    for _ in range(5):
        segments, cpu, longest = recorded()
        packing, joining, size = asyncio.run(joined(segments))
        runs.append((cpu / SECONDS, longest, packing / SECONDS, joining / SECONDS, size))
    middle = [sorted(column)[2] for column in zip(*runs, strict=True)]
    figures = {
        "recorder, ms CPU per call-second": round(middle[0] * 1000, 4),
        "packing, ms CPU per call-second": round(middle[2] * 1000, 4),
        "joining, ms CPU per call-second": round(middle[3] * 1000, 4),
        "longest single frame, ms CPU": round(middle[1] * 1000, 3),
        "file, kB per call-second": round(middle[4] / SECONDS / 1000, 1),
    }
    for name, value in figures.items():
        print(f"{name:<36} {value}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
