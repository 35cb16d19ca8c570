"""The buffer between the media socket and the caller's ear, in samples, on whatever clock it is told.

Audio plays in real time from when it arrives, in order. A mark comes back when the audio before it has been played,
at once when there is none. Clear empties the buffer and sends back all marks that are still out. These are the rules
of https://www.twilio.com/docs/voice/media-streams/websocket-messages.
"""

from collections import deque
from typing import NamedTuple

from scriza.audio.mulaw import SAMPLE_RATE, SILENCE

_SAME_BURST = SAMPLE_RATE // 5
"""Media that arrives within 200 ms after the buffer ran dry belongs to the same burst: the caller heard a gap."""


class Underrun(NamedTuple):
    """A gap inside the agent's speech: the buffer was dry from `at`, for `length` samples, before more arrived."""

    at: int
    length: int


class Playout:
    """All times are sample numbers since the call began, and never go back.

    Whoever holds it calls `advance` before anything else happens at a time, and sends what it returns as marks.
    """

    def __init__(self) -> None:
        self.position = 0
        """Up to here everything has been heard."""
        self._heard = bytearray()
        self._buffer = bytearray()
        self._played = 0
        self._marks: deque[tuple[int, str]] = deque()
        self._dry_since: int | None = None

    @property
    def buffered(self) -> int:
        """Samples that wait to be played."""
        return len(self._buffer)

    def advance(self, to: int) -> list[str]:
        """Play until `to`; returns the names of the marks that are due, in order."""
        length = to - self.position
        if length > 0:
            self.position = to
            played = min(length, len(self._buffer))
            if played:
                self._heard += self._buffer[:played]
                del self._buffer[:played]
                self._played += played
                if not self._buffer:
                    self._dry_since = to - length + played
            if length > played:
                self._heard += SILENCE * (length - played)
        return self._due()

    def add(self, audio: bytes) -> Underrun | None:
        """Mu-law audio arrives now; tells when the caller has heard a gap before it."""
        gap = None
        if not self._buffer and self._dry_since is not None:
            late = self.position - self._dry_since
            if 0 < late <= _SAME_BURST:
                gap = Underrun(self._dry_since, late)
        self._buffer += audio
        self._dry_since = None
        return gap

    def mark(self, name: str) -> list[str]:
        """A mark arrives now; returns the marks that are due at once."""
        self._marks.append((self._played + len(self._buffer), name))
        return self._due()

    def clear(self) -> list[str]:
        """Drop what has not been played; returns all outstanding marks."""
        self._buffer.clear()
        self._dry_since = None
        names = [name for _, name in self._marks]
        self._marks.clear()
        return names

    def take_heard(self) -> bytes:
        """What was heard since the last time, mu-law, silence included."""
        heard = bytes(self._heard)
        self._heard.clear()
        return heard

    def _due(self) -> list[str]:
        due = []
        while self._marks and self._marks[0][0] <= self._played:
            due.append(self._marks.popleft()[1])
        return due
