"""Recordings of calls, from the first frame to the file that people hear.

Our own: each stream's recorder hands over segments, which are stored while the call goes on, and joined when it has
ended. The carrier's: it is asked to record when the first stream begins, tells when that is complete, and the file is
fetched. Whatever is left unfinished, by a process that died or a store that was away, is found by a regular look.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Literal, TypeVar

import msgspec
import structlog

from scriza.audio.wav import measure_wav
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Conflict, NotFound, ScrizaError
from scriza.modules.telephony.call_log import CallLog, JournaledCall
from scriza.modules.telephony.live.recorder import NO_RECORDER, Recorder, RecorderOptions, TwoLegs
from scriza.modules.telephony.recordings.at_carrier import RecordingsAtCarrier
from scriza.modules.telephony.recordings.joining import CHANNELS, find_sound, segment_key, wav
from scriza.modules.telephony.recordings.log import CallRecording, RecordingLog
from scriza.modules.telephony.recordings.segments import SegmentWriter
from scriza.ports.objects import Objects
from scriza.ports.telephony import RecordingLink

T = TypeVar("T")

_WAV = "audio/wav"
_PIECE = 1024 * 1024
_AT_ONCE = 4
"""Workers of each kind."""
_CALLS = 10_000
"""That may wait to be begun or finished; of more than that some are found by the next look only."""
_BEGIN_AGAIN_S = (0.5, 2.0, 5.0, 15.0, 30.0)
_MAKE_S = 600.0
_CLOSING_S = 10.0
_LOOK_S = 60.0
_BATCH = 500
_SETTLING = timedelta(minutes=2)
"""So long after it was found that a call is over but its sound is not whole, nothing more of it is on its way."""
_HOPELESS = timedelta(days=1)
"""So long the carrier is asked for a recording of which it has told nothing."""
_URL_OPENS = timedelta(hours=1)

_log = structlog.get_logger()


class RecordingOptions(msgspec.Struct, frozen=True):
    """What is recorded, and what becomes of it."""

    by: Literal["off", "ours", "carrier"] = "off"
    keep_days: int = 0
    """0 is for good."""
    leaves_carrier: bool = False
    """The carrier deletes its recording once it has been fetched."""
    recorder: RecorderOptions = RecorderOptions()


class Recordings:
    """Makes and finds them. What is recorded gets stored within `running` only."""

    def __init__(
        self,
        options: RecordingOptions,
        log: RecordingLog,
        calls: CallLog,
        objects: Objects,
        at_carrier: RecordingsAtCarrier,
        *,
        clock: WallClock = utc_now,
    ) -> None:
        self._options, self._log, self._calls = options, log, calls
        self._objects, self._at_carrier, self._clock = objects, at_carrier, clock
        self._writer = SegmentWriter(objects, self._finish)
        self._beginning: asyncio.Queue[CallRecording] = asyncio.Queue(_CALLS)
        self._finishing: asyncio.Queue[str] = asyncio.Queue(_CALLS)
        self._not_whole: dict[str, datetime] = {}
        """Calls that are over, whose sound was not whole, and since when that is known."""

    def recorder(self, call: JournaledCall) -> Recorder:
        """What the call's next stream is told to. Never waits."""
        if self._options.by == "off":
            return NO_RECORDER
        recording = CallRecording(call.call_id, call.workspace, self._options.by, self._clock())
        _hand(recording, self._beginning)
        if self._options.by == "carrier":
            return NO_RECORDER
        keys = (segment_key(recording, call.attached, number) for number in count())
        return TwoLegs(
            lambda segment: self._writer.keep(call.call_id, next(keys), segment),
            lambda: self._writer.call_ended(call.call_id),
            clock=self._clock,
            time=asyncio.get_running_loop().time,
            options=self._options.recorder,
        )

    async def link(self, call_id: str) -> RecordingLink:
        """A URL of the call's recording. Raises NotFound, and Conflict while it is not complete."""
        recording = await self._log.find(call_id)
        if recording is None or recording.state == "lost" or self._is_expired(recording):
            raise NotFound("there is no recording of this call")
        if recording.state == "open":
            raise Conflict("the recording is not complete yet", retry_after=30)
        url = await self._objects.signed_url(recording.file, _URL_OPENS)
        return RecordingLink(url, recording.duration_ms / 1000, recording.channels)

    async def complete_at_carrier(self, call_id: str, recording_id: str) -> None:
        """The carrier tells that its recording of a call is complete."""
        if await self._log.complete_at_carrier(call_id, recording_id):
            self._finish(call_id)
        else:
            _log.info("recording.not_asked_for", call_id=call_id)

    async def absent_at_carrier(self, call_id: str) -> None:
        """The carrier tells that it has recorded nothing of a call."""
        recording = await self._log.find(call_id)
        if recording and recording.by == "carrier" and recording.state == "open":
            await self._lose(recording)

    async def forget(self, workspace: str, call_id: str) -> int | None:
        """Erase a call's recording, here and at the carrier; returns how many objects there were.

        None, and nothing is erased, while it is being made: what is still on its way would come after. Raises what the
        stores and the carrier raise; then it has to be done again.
        """
        recording = await self._log.find(call_id)
        if recording is None:
            return await self._erase(CallRecording(call_id, workspace, "ours", self._clock()))
        if recording.state == "open":
            return None
        if recording.by == "carrier":
            await self._at_carrier.delete_all(call_id)
        objects = await self._erase(recording)
        await self._log.forget(call_id)
        return objects + (recording.state == "kept")

    async def _erase(self, recording: CallRecording) -> int:
        await self._objects.delete(recording.file)
        return await self._objects.delete_all(recording.folder)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work inside. At the end what waits for the store is given a moment; what is left then is lost."""
        async with asyncio.TaskGroup() as tasks:
            work = [self._begin_next, self._writer.write_next, self._finish_next] * _AT_ONCE
            workers = [tasks.create_task(_for_ever(step)) for step in [*work, self._look_again]]
            try:
                yield
            finally:
                try:
                    async with asyncio.timeout(_CLOSING_S):
                        await self._beginning.join()
                        await self._writer.flushed()
                        await self._finishing.join()
                except TimeoutError:
                    _log.warning("recording.unfinished", segments=self._writer.waiting, calls=self._finishing.qsize())
                for worker in workers:
                    worker.cancel()

    async def look(self) -> None:
        """Finish what nobody has finished, and delete what is older than it may be."""
        now = self._clock()
        unfinished = [recording.call_id for recording in await self._log.open_since(now, _BATCH)]
        self._not_whole = {call_id: since for call_id, since in self._not_whole.items() if call_id in unfinished}
        for call_id in unfinished:
            await self.make(call_id)
        if self._options.keep_days:
            for recording in await self._log.kept_since(now - timedelta(days=self._options.keep_days), _BATCH):
                await self._objects.delete(recording.file)
                await self._log.forget(recording.call_id)
                _log.info("recording.deleted", call_id=recording.call_id)

    async def make(self, call_id: str) -> None:
        """Make the file of a call that is over; one that cannot be made yet is left to the next look."""
        try:
            recording, call = await self._log.find(call_id), await self._calls.find(call_id)
            if recording is None or call is None or not (call.ended_reason or recording.carrier_id):
                return
            now = self._clock()
            if not await self._log.claim(call_id, now, now + timedelta(seconds=_MAKE_S)):
                return
            try:
                async with asyncio.timeout(_MAKE_S / 2):
                    await (self._join(recording, call) if recording.by == "ours" else self._fetch(recording))
            finally:
                await self._log.release(call_id)
        except NotFound as error:
            _log.info("recording.not_there_yet", call_id=call_id, detail=error.detail)
        except TimeoutError:
            _log.warning("recording.not_made", call_id=call_id, error="deadline-exceeded")
        except ScrizaError as error:
            _log.warning("recording.not_made", call_id=call_id, error=error.slug, detail=error.detail)

    def _is_expired(self, recording: CallRecording) -> bool:
        kept = timedelta(days=self._options.keep_days)
        return bool(kept and recording.settled_at and recording.settled_at + kept <= self._clock())

    def _finish(self, call_id: str) -> None:
        _hand(call_id, self._finishing)

    async def _begin_next(self) -> None:
        recording = await self._beginning.get()
        try:
            first = await self._noted(recording)
            if recording.by == "carrier":
                await self._at_carrier.begin(recording.call_id, first=first)
        except (ScrizaError, TimeoutError) as error:
            _log.error("recording.not_begun", call_id=recording.call_id, error=str(error) or "deadline-exceeded")
        finally:
            self._beginning.task_done()

    async def _noted(self, recording: CallRecording) -> bool:
        for pause in _BEGIN_AGAIN_S:
            try:
                return await self._log.begin(recording)
            except ScrizaError as error:
                _log.warning("recording.store_waited_for", error=error.slug)
            await asyncio.sleep(pause)
        return await self._log.begin(recording)

    async def _finish_next(self) -> None:
        call_id = await self._finishing.get()
        try:
            await self.make(call_id)
        finally:
            self._finishing.task_done()

    async def _look_again(self) -> None:
        try:
            await self.look()
        except ScrizaError as error:
            _log.warning("recording.not_looked_after", reason=error.detail)
        await asyncio.sleep(_LOOK_S)

    async def _join(self, recording: CallRecording, call: JournaledCall) -> None:
        sound = await find_sound(self._objects, recording, call.attached)
        now = self._clock()
        if not sound.complete and now < self._not_whole.setdefault(recording.call_id, now) + _SETTLING:
            return  # another process may still be storing what it has recorded
        if not sound.stretches:
            await self._lose(recording)
            return
        await self._objects.put_stream(recording.file, wav(self._objects, sound), _WAV)
        await self._settle(recording, sound.duration_ms, CHANNELS)
        for stretch in sound.stretches:
            await self._objects.delete(stretch.key)

    async def _fetch(self, recording: CallRecording) -> None:
        recording_id = recording.carrier_id or await self._at_carrier.find(recording.call_id)
        try:
            if not recording_id:
                raise NotFound("the carrier has not told of a recording")
            body = await self._at_carrier.fetch(recording_id)
            duration_ms, channels = measure_wav(body)
        except (NotFound, BadInput):
            if self._clock() <= recording.began_at + _HOPELESS:
                raise
            await self._lose(recording)
            return
        await self._objects.put_stream(recording.file, _pieces(body), _WAV)
        await self._settle(recording, duration_ms, channels)
        if self._options.leaves_carrier:
            await self._delete_at_carrier(recording.call_id, recording_id)

    async def _delete_at_carrier(self, call_id: str, recording_id: str) -> None:
        try:
            await self._at_carrier.delete(recording_id)
        except (ScrizaError, TimeoutError) as error:
            # It is ours now, and stays theirs: somebody has to know.
            _log.error("recording.left_at_carrier", call_id=call_id, recording=recording_id, error=type(error).__name__)

    async def _settle(self, recording: CallRecording, duration_ms: int, channels: int) -> None:
        await self._log.settle(recording.call_id, "kept", self._clock(), duration_ms=duration_ms, channels=channels)
        _log.info("recording.kept", call_id=recording.call_id, by=recording.by, seconds=duration_ms // 1000)

    async def _lose(self, recording: CallRecording) -> None:
        await self._log.settle(recording.call_id, "lost", self._clock())
        _log.warning("recording.lost", call_id=recording.call_id)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _hand(item: T, queue: asyncio.Queue[T]) -> None:
    try:
        queue.put_nowait(item)
    except asyncio.QueueFull:
        _log.error("recording.too_many_wait")


async def _for_ever(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except Exception:
            # A worker's outermost shell: what breaks over one call leaves the others their recordings.
            _log.exception("recording.broke")
            await asyncio.sleep(1)
