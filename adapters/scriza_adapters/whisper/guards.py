"""What of Whisper's output is to be believed: pure functions on its segments.

Whisper fills silence and noise with text. The bounds on `no_speech_prob`, `avg_logprob` and `compression_ratio` follow
Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5.
"""

from collections.abc import Sequence
from typing import Protocol

_NO_SPEECH, _UNSURE_THEN = 0.6, -0.7
_UNSURE = -1.3
_REPETITIVE = 2.4
_PHANTOMS = frozenset(
    (
        "thank you for watching", "thanks for watching", "please subscribe", "like and subscribe",
        "subtitles by the amara org community", "subtitles by", "transcription by castingwords", "music", "applause",
    )
)  # fmt: skip
"""Endings of the films that Whisper learned from; nobody says them on the phone."""
_LONGEST_UNIT = 8
_REPEATS = 3


class Segment(Protocol):
    """What is looked at of faster-whisper's own segments; `avg_logprob` is natural and at most 0."""

    @property
    def text(self) -> str:
        """As written, with a leading space."""
        ...

    @property
    def avg_logprob(self) -> float:
        """Of its tokens."""
        ...

    @property
    def no_speech_prob(self) -> float:
        """That nobody speaks in its window."""
        ...

    @property
    def compression_ratio(self) -> float:
        """Of its text by zlib: high when it repeats itself."""
        ...


def believable(segment: Segment, hint: str = "") -> bool:
    """Whether somebody said this; `hint` is the prompt, which Whisper likes to repeat when nobody speaks."""
    text = _plain(segment.text)
    return not (
        not text
        or text in _PHANTOMS
        or (hint and len(text.split()) > 3 and text == _plain(hint))
        or segment.compression_ratio > _REPETITIVE
        or segment.avg_logprob < _UNSURE
        or (segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _UNSURE_THEN)
    )


def loop_starts(words: Sequence[str]) -> int | None:
    """Where a loop has gone round once: some words that follow each other more than three times; none without one."""
    plain = [_plain(word) for word in words]
    for start in range(len(plain)):
        for size in range(1, min(_LONGEST_UNIT, (len(plain) - start) // (_REPEATS + 1)) + 1):
            unit = plain[start : start + size]
            if all(plain[start + size * turn : start + size * (turn + 1)] == unit for turn in range(1, _REPEATS + 1)):
                return start + size
    return None


def _plain(text: str) -> str:
    kept = "".join(character if character.isalnum() else " " for character in text.casefold())
    return " ".join(kept.split())
