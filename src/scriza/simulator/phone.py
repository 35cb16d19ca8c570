"""The phone on the simulated line: its 20 ms clock, what the caller says into it and what comes out of it.

It lives from the moment the call is placed until it ends; media streams come and go. Position n of both tracks is
n / 8000 s after the call was placed.
"""

import asyncio

import numpy as np

from scriza.audio.mulaw import SAMPLE_RATE, SILENCE, decode
from scriza.audio.wav import encode_wav
from scriza.simulator.caller import Caller
from scriza.simulator.clips import FRAME, Clip
from scriza.simulator.clock import FrameClock
from scriza.simulator.ears import Ears
from scriza.simulator.keypad import Keypad
from scriza.simulator.messages import CONNECTED, Mark, Media, Refused, Writer, read
from scriza.simulator.playout import Playout, Underrun
from scriza.simulator.recordings import Recording
from scriza.simulator.report import SAMPLES_PER_MS, Timeline
from scriza.simulator.scenario import Scenario
from scriza.simulator.stream import MediaStream

_MEDIA_STARTS_AFTER = SAMPLE_RATE * 3 // 20
"""The first media message tells of audio 150 ms or a little more after the stream's start."""
_SILENT_FRAME = SILENCE * FRAME


class Phone:
    """One call's audio. `over` is done when the caller hangs up; a fault of the clock is raised from it."""

    def __init__(self, clock: FrameClock, *, record: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._playout = Playout()
        self._ears = Ears()
        self._caller: Caller | None = None
        self._stream: MediaStream | None = None
        self._writer: Writer | None = None
        self._stream_sid = ""
        self._stream_began = 0
        self._frames = 0
        self._record = record
        self._said = bytearray()
        self._heard = bytearray()
        self._pending = bytearray()
        self._drained: asyncio.Future[None] | None = None
        self._faults: set[int] = set()
        self._origin = clock.join(self)
        self.timeline = Timeline(self.now_ms)
        self.uttered: list[tuple[Clip, int]] = []
        self.gaps: list[Underrun] = []
        self.clears: list[int] = []
        self.worst_lag = 0.0
        """Seconds that the clock has been late, at worst, while a media stream was open."""
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.beeped = asyncio.Event()
        """The answering machine records."""
        self._keypad: Keypad | None = None
        self.recordings: list[Recording] = []
        """What REST has asked for; apart from the recording that is in the outcome."""

    @property
    def keys(self) -> str:
        """What the agent has pressed, where that is listened for."""
        return "" if self._keypad is None else self._keypad.heard

    @property
    def ears(self) -> Ears:
        """What the caller hears of the agent."""
        return self._ears

    def now_ms(self) -> int:
        """Milliseconds since the call was placed."""
        return int((self._loop.time() - self._origin) * 1000)

    def lift(self, scenario: Scenario, clips: dict[int, Clip]) -> None:
        """The call is answered: the caller begins its lines."""
        self._caller = Caller(scenario, clips, self)
        self._keypad = None if scenario.expect.keys is None else Keypad()

    def attach(self, stream: MediaStream, writer: Writer, stream_sid: str, parameters: dict[str, str]) -> None:
        """A media stream is open: say so on it, and give it the caller's voice from now on."""
        self._stream, self._writer, self._stream_sid = stream, writer, stream_sid
        self._stream_began = self._now()
        self._faults.clear()
        stream.receive, stream.refuse = self._receive, self._refuse
        stream.send(CONNECTED)
        stream.send(writer.start(parameters))

    def detach(self) -> None:
        """The media stream has ended; what it had sent ahead is not played."""
        self._echo(self._playout.advance(self._now()))
        if self._playout.buffered:
            self.timeline.note("note", f"{self._playout.buffered // SAMPLES_PER_MS} ms of audio were never heard")
        self._playout.clear()
        if self._stream is not None:
            self._stream.ignore()
        self._stream = self._writer = None

    async def play(self, audio: bytes) -> None:
        """Play mu-law to the caller, to its end."""
        self._echo(self._playout.advance(self._now()))
        self._playout.add(audio)
        self._drained = self._loop.create_future()
        try:
            await self._drained
        finally:
            self._playout.clear()
            self._drained = None

    def put_down(self) -> None:
        """The call is over: nothing is said, heard or recorded any more. Doing it twice is fine."""
        self._clock.leave(self)
        self._ears.stop()

    def wav(self) -> bytes:
        """Both directions as the phone heard them: stereo at 8 kHz, the caller left, the agent right.

        The recording is handed over: there is none the second time.
        """
        tracks = (decode(bytes(self._said)), decode(bytes(self._heard)))
        self._said.clear()
        self._heard.clear()
        return encode_wav(np.stack(tracks, axis=1), SAMPLE_RATE)

    def tick(self, lag: float) -> None:
        """Another 20 ms are over: they have been heard, and said."""
        start = self._frames * FRAME
        self._frames += 1
        said = _SILENT_FRAME if self._caller is None else self._caller.frame(start, self._ears)
        self._echo(self._playout.advance(start + FRAME))
        self._pending += self._playout.take_heard()
        heard = bytes(self._pending[:FRAME])
        del self._pending[:FRAME]
        if self._record:
            self._said += said
            self._heard += heard
        for recording in self.recordings:
            recording.add(said, heard)
        if self._keypad is not None and (key := self._keypad.hear(heard)):
            self.timeline.note("digit", f"{key}, from the agent")
        if self._ears.hear(heard, start):
            self._tell_of_agent()
        if self._stream is not None and self._writer is not None:
            self.worst_lag = max(self.worst_lag, lag)
            since_start = start - self._stream_began
            if since_start >= _MEDIA_STARTS_AFTER:
                self._stream.send_audio(self._writer.media(since_start // SAMPLES_PER_MS, said))
        if self._drained is not None and not self._playout.buffered and not self._drained.done():
            self._drained.set_result(None)

    def broken(self, error: Exception) -> None:
        """The clock has stopped for this phone: the call raises it."""
        if not self.over.done():
            self.over.set_exception(error)

    def begins(self, clip: Clip, at: int) -> None:
        """The caller begins an utterance."""
        self.uttered.append((clip, at))
        if clip.kind == "beep":
            self._loop.call_later(len(clip.samples) / SAMPLE_RATE, self.beeped.set)
        what = f'"{clip.text}"' if clip.text else clip.kind
        over = " (over the agent)" if self._ears.speaking else ""
        self.timeline.note("caller", f"{what}{over}", at // SAMPLES_PER_MS)

    def presses(self, digit: str) -> None:
        """The caller presses a key."""
        self.timeline.note("digit", digit)
        if self._stream is not None and self._writer is not None:
            self._stream.send(self._writer.dtmf(digit))

    def hangs_up(self) -> None:
        """The caller has had enough."""
        self.timeline.note("caller", "hangs up")
        if not self.over.done():
            self.over.set_result(None)

    def loses_socket(self) -> None:
        """The network takes the socket away."""
        if self._stream is not None:
            self.timeline.note("stream", "the network drops the socket")
            self._stream.abort()

    def waits_in_vain(self, what: str) -> None:
        """A line of the scenario goes on without what it waited for."""
        self.timeline.note("note", f"the caller waited in vain for {what}")

    def _now(self) -> int:
        return max(int((self._loop.time() - self._origin) * SAMPLE_RATE), self._playout.position)

    def _receive(self, text: bytes) -> None:
        self._echo(self._playout.advance(self._now()))
        try:
            message = read(text, self._stream_sid)
        except Refused as refused:
            self._refuse(refused.code, refused.reason)
            return
        if isinstance(message, Media):
            gap = self._playout.add(message.media.payload)
            if gap is not None:
                self.gaps.append(gap)
        elif isinstance(message, Mark):
            self._echo(self._playout.mark(message.mark.name))
        else:
            self.clears.append(self._playout.position)
            dropped = self._playout.buffered // SAMPLES_PER_MS
            self.timeline.note("clear", f"{dropped} ms of audio dropped")
            self._echo(self._playout.clear())

    def _refuse(self, code: int, reason: str) -> None:
        # Twilio warns once a stream, so a peer that is wrong fifty times a second does not bury everything else.
        if code not in self._faults:
            self._faults.add(code)
            self.timeline.violation(code, reason)

    def _echo(self, marks: list[str]) -> None:
        for name in marks:
            self.timeline.note("mark", name)
            if self._stream is not None and self._writer is not None:
                self._stream.send(self._writer.mark(name))

    def _tell_of_agent(self) -> None:
        ears = self._ears
        if ears.speaking:
            self.timeline.note("agent", "speaks", ears.since // SAMPLES_PER_MS)
        else:
            length = ears.until - ears.since
            self.timeline.note("agent", f"silent after {length / SAMPLE_RATE:.1f} s", ears.until // SAMPLES_PER_MS)
