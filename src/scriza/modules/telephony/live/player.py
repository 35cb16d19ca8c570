"""Sends clips at the pace at which the phone plays them, a little ahead, with marks to tell what was heard.

Pacing keeps one figure: when everything sent so far will have been played. A piece leaves when that moment is less
than `lead_ms` away, so that nothing drifts and a stall of our own shorter than the lead is not heard. What is ahead
is all that still sounds after a hold, so the lead is also how fast the agent falls silent.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from scriza.audio.mulaw import BYTES_PER_MS
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.live.recorder import NO_RECORDER, Recorder
from scriza.modules.telephony.media import MediaSocket, SocketClosed, encode_clear, encode_mark, media_encoder
from scriza.ports.tts import SpokenWord

Tell = Callable[[on.Event], None]


class Pacing(msgspec.Struct, frozen=True):
    """All in milliseconds."""

    lead: int = 100
    """A piece is sent when less than this is ahead of the phone."""
    piece: int = 60
    """Longest piece; lead and piece together are the most that is ever ahead."""
    mark_every: int = 200
    """The most between two marks."""


class Clip:
    """Audio that is being made: mu-law bytes and the ends of the words in them."""

    def __init__(self, number: int, changed: Callable[[], None]) -> None:
        self.number = number
        self.audio = bytearray()
        self.complete = False
        self.word_ends: deque[int] = deque()
        """In milliseconds since the clip's start, those not yet passed first."""
        self._changed = changed

    def add(self, audio: bytes) -> None:
        """The next piece of audio."""
        self.audio += audio
        self._changed()

    def time(self, words: list[SpokenWord]) -> None:
        """The next words' times."""
        self.word_ends.extend(word.end_ms for word in words)

    def finish(self) -> None:
        """Nothing more will come."""
        self.complete = True
        self._changed()


class Player:
    """The agent's voice on one media stream."""

    def __init__(
        self,
        socket: MediaSocket,
        stream_sid: str,
        tell: Tell,
        pacing: Pacing,
        recorder: Recorder = NO_RECORDER,
    ) -> None:
        self._socket, self._stream_sid, self._tell, self._pacing = socket, stream_sid, tell, pacing
        self._recorder = recorder
        self._encode = media_encoder(stream_sid)
        self._queue: deque[Clip] = deque()
        self._position_ms = 0
        self._marked_ms = 0
        self._marks = 0
        self._held = False
        self._clear_wanted = False
        self._plays_until = 0.0
        self._wake = asyncio.Event()

    def clip(self, number: int) -> Clip:
        """A clip to fill, not played until `play`."""
        return Clip(number, self._wake.set)

    def play(self, clip: Clip) -> None:
        """Send this clip behind all others."""
        self._queue.append(clip)
        self._wake.set()

    def hold(self) -> None:
        """Stop sending."""
        self._held = True

    def go_on(self) -> None:
        """Send again, from where it stopped."""
        self._held = False
        self._wake.set()

    def clear(self) -> None:
        """Drop what was not sent, and have the phone drop what it has not played."""
        self._queue.clear()
        self._position_ms = self._marked_ms = 0
        self._held = False
        self._clear_wanted = True
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled, or until the socket takes nothing any more, which is told as the stream's loss."""
        try:
            while True:
                self._wake.clear()
                if self._clear_wanted:
                    await self._send_clear()
                elif (wait := self._wait()) is None:
                    await self._wake.wait()
                elif wait > 0:
                    await self._wake_within(wait)
                else:
                    await self._send_piece()
        except SocketClosed:
            self._tell(on.StreamLost())

    def _wait(self) -> float | None:
        """Seconds until the next piece is due; none when there is nothing to send."""
        if self._held or not self._queue:
            return None
        clip = self._queue[0]
        if not clip.complete and len(clip.audio) < (self._position_ms + 20) * BYTES_PER_MS:
            return None
        return self._plays_until - self._pacing.lead / 1000 - asyncio.get_running_loop().time()

    async def _wake_within(self, seconds: float) -> None:
        alarm = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    async def _send_clear(self) -> None:
        self._clear_wanted = False
        self._plays_until = 0.0
        self._recorder.cleared(asyncio.get_running_loop().time())
        await self._socket.send(encode_clear(self._stream_sid))

    async def _send_piece(self) -> None:
        clip = self._queue[0]
        start_ms = self._position_ms
        audio = bytes(clip.audio[start_ms * BYTES_PER_MS : self._piece_end(clip) * BYTES_PER_MS])
        self._position_ms = end_ms = start_ms + -(-len(audio) // BYTES_PER_MS)
        last = clip.complete and end_ms * BYTES_PER_MS >= len(clip.audio)
        if last:
            self._queue.popleft()
            self._position_ms = 0
        begins = max(self._plays_until, asyncio.get_running_loop().time())
        self._plays_until = begins + len(audio) / BYTES_PER_MS / 1000
        self._recorder.played(audio, begins)
        mark = self._mark(clip, end_ms, last=last)
        if audio:
            await self._socket.send(self._encode(audio))
        if start_ms == 0:
            self._tell(on.ClipStarted(clip.number))
        if mark:
            self._tell(on.MarkSent(mark, clip.number, end_ms, last))
            await self._socket.send(encode_mark(self._stream_sid, mark))

    def _piece_end(self, clip: Clip) -> int:
        """Where the next piece ends, in ms: at a word's end if there is one in reach."""
        available_ms = -(-len(clip.audio) // BYTES_PER_MS)
        end_ms = min(self._position_ms + self._pacing.piece, available_ms)
        while clip.word_ends and clip.word_ends[0] < self._position_ms + 20:
            clip.word_ends.popleft()
        return clip.word_ends[0] if clip.word_ends and clip.word_ends[0] <= end_ms else end_ms

    def _mark(self, clip: Clip, end_ms: int, *, last: bool) -> str:
        """The name of a mark to be sent behind this piece; empty for none.

        Marks stand where words end; inside a long word, and where nothing is known of the words, one stands as soon
        as the next piece would bring the distance over the most allowed.
        """
        word_end = clip.word_ends[0] if clip.word_ends else None
        distance = end_ms - self._marked_ms
        if word_end == end_ms:
            wanted = distance >= self._pacing.mark_every // 2
        else:
            word_in_reach = word_end is not None and word_end - self._marked_ms <= self._pacing.mark_every
            wanted = not word_in_reach and distance + self._pacing.piece > self._pacing.mark_every
        if not (last or wanted):
            return ""
        self._marked_ms = 0 if last else end_ms
        self._marks += 1
        return f"{clip.number}:{self._marks}"
