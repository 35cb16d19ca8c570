"""The playout ledger: which word has the caller heard?

"Sent" is not "heard": what we send waits in the carrier's buffer until it has been played. The carrier echoes a mark
when everything before it has been played; together with the times of the words inside each clip this tells what was
heard. A mark that echoes after our own `clear` was thrown back, not played, and proves nothing. Pure.
"""

from dataclasses import dataclass

from scriza.ports.tts import SpokenWord


@dataclass
class _Clip:
    turn: int
    text: str
    words: list[SpokenWord]
    heard_ms: int = 0
    whole: bool = False
    """Heard to its end."""
    broken: bool = False
    """It ended before its text did."""
    closed: bool = False
    """Nothing more of it will be sent, and what was sent is accounted for when no mark of it is outstanding."""


@dataclass(frozen=True)
class _Mark:
    clip: int
    until_ms: int
    last: bool


class Ledger:
    """Clips in the order in which they are played, and the marks that are still to echo."""

    def __init__(self) -> None:
        self._clips: dict[int, _Clip] = {}
        self._words: dict[int, list[SpokenWord]] = {}
        """Of every clip that may be heard; they can come before it is certain that it will be."""
        self._outstanding: dict[str, _Mark] = {}

    def play(self, clip: int, turn: int, text: str) -> None:
        """The clip will be sent behind all others."""
        self._clips[clip] = _Clip(turn, text, self._words.setdefault(clip, []))

    def timed(self, clip: int, words: list[SpokenWord]) -> None:
        """The next words of a clip, with their times."""
        self._words.setdefault(clip, []).extend(words)

    def dropped(self, clip: int) -> None:
        """The clip will not be played."""
        self._words.pop(clip, None)

    def sent(self, mark: str, clip: int, until_ms: int, *, last: bool) -> bool:
        """A mark was sent behind the clip's first `until_ms` milliseconds; False for a clip that does not count."""
        if clip not in self._clips:
            return False
        self._outstanding[mark] = _Mark(clip, until_ms, last)
        return True

    def echoed(self, mark: str) -> bool:
        """The carrier echoed a mark; True if it proves that something was heard."""
        proof = self._outstanding.pop(mark, None)
        if proof is None:
            return False
        clip = self._clips[proof.clip]
        clip.heard_ms = max(clip.heard_ms, proof.until_ms)
        clip.whole = clip.whole or (proof.last and not clip.broken)
        clip.closed = clip.closed or proof.last
        return True

    def failed(self, clip: int) -> None:
        """No more of this clip will come; what was heard of it stays."""
        if known := self._clips.get(clip):
            known.broken = known.closed = True

    def cleared(self) -> None:
        """We sent `clear`: nothing more of what was sent will be heard, and late echoes prove nothing."""
        self._outstanding.clear()
        for clip in self._clips.values():
            clip.closed = True

    def assume_heard(self) -> None:
        """The marks are overdue: take what was sent as played."""
        for mark in list(self._outstanding):
            self.echoed(mark)

    @property
    def finished(self) -> bool:
        """Whether everything that will be sent has been heard."""
        return not self._outstanding and all(clip.closed for clip in self._clips.values())

    def turn_of(self, clip: int) -> int | None:
        """The turn that a clip belongs to; none when it was never to be played or is forgotten."""
        known = self._clips.get(clip)
        return known.turn if known else None

    def heard(self, turn: int) -> str:
        """What the caller has heard of a turn, cut behind the last word that has sounded in full."""
        said = (self._heard_of(clip) for clip in self._clips.values() if clip.turn == turn)
        return " ".join(part for part in said if part)

    def forget(self, turn: int) -> None:
        """A turn is over and journalled."""
        for number in [number for number, clip in self._clips.items() if clip.turn == turn]:
            del self._clips[number]
            self._words.pop(number, None)
        self._outstanding = {name: mark for name, mark in self._outstanding.items() if mark.clip in self._clips}

    @staticmethod
    def _heard_of(clip: _Clip) -> str:
        if clip.whole:
            return clip.text
        chars = max((word.chars for word in clip.words if word.end_ms <= clip.heard_ms), default=0)
        return clip.text[:chars].strip()
