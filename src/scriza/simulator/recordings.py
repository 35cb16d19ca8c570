"""Recordings of a call that REST has asked for: both legs, each on its own track, from when it was asked for.

https://www.twilio.com/docs/voice/api/recording. A recording is complete when its call ends.
"""

from datetime import UTC, datetime
from typing import Literal

import numpy as np

from scriza.audio.mulaw import SAMPLE_RATE, decode
from scriza.audio.wav import encode_wav

RecordingStatus = Literal["in-progress", "completed", "absent"]
RecordingEvent = Literal["in-progress", "completed", "absent"]


class Recording:
    """One recording. `channels` is 2 for a track a leg, 1 for both legs in one; `events` is what `callback` is told."""

    def __init__(
        self, sid: str, *, callback: str, events: frozenset[RecordingEvent], channels: Literal[1, 2] = 1
    ) -> None:
        self.sid, self.callback, self.events, self.channels = sid, callback, events, channels
        self.status: RecordingStatus = "in-progress"
        self.began_at = datetime.now(UTC)
        self._caller = bytearray()
        self._agent = bytearray()

    @property
    def seconds(self) -> int | None:
        """How long it is; None while it goes on."""
        return None if self.status == "in-progress" else round(len(self._caller) / SAMPLE_RATE)

    def add(self, said: bytes, heard: bytes) -> None:
        """Another stretch of the call, mu-law: what the caller said, and heard."""
        self._caller += said
        self._agent += heard

    def finish(self) -> None:
        """The call is over."""
        self.status = "completed" if self._caller else "absent"

    def wav(self, channels: int) -> bytes:
        """All of it: the caller left and the agent right, or with one channel both together."""
        tracks = np.stack([decode(bytes(self._caller)), decode(bytes(self._agent))], axis=1)
        if channels == 1:
            tracks = (tracks.astype(np.int32).sum(axis=1)).clip(-32768, 32767).astype(np.int16)
        return encode_wav(tracks, SAMPLE_RATE)
